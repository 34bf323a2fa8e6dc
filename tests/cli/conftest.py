"""The command line against a SQLite file, and against a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from served import ServerThread


@pytest.fixture(params=["sqlite", "http"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store's URL and a server's: the commands of the test speak to either."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path / 'cli.db'}"
        monkeypatch.setenv("CROSSDOCK_URL", found)
        yield found
    else:
        with ServerThread("memory://") as server:
            monkeypatch.setenv("CROSSDOCK_URL", server.url)
            yield server.url

"""Which URL opens which store."""

import pytest

from crossdock.core.errors import InvalidArgument
from crossdock.core.model import Settings
from crossdock.storage.log import LogStore
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from crossdock.storage.urls import open_store


def test_scheme_chooses_the_store() -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    assert isinstance(open_store("sqlite:///never-opened.db", Settings(max_attempts=5)), SqliteStore)
    assert isinstance(open_store("log:///never-opened"), LogStore)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("redis://localhost", "not redis:"),
        ("jobs.db", "must begin with memory://, sqlite:/// or log:///"),
        ("", "must begin with memory://, sqlite:/// or log:///"),
        ("memory://x", "must begin with memory://, sqlite:/// or log:///"),
        ("sqlite://", "must name a file"),
        ("sqlite:///", "must name a file"),
        ("sqlite:jobs.db", "must name a file"),
        ("sqlite://host/jobs.db", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///a\0b", "must name a file"),
        ("log://", "must name a folder"),
        ("log:///", "must name a folder"),
        ("log:jobs", "must name a folder"),
        ("log:///a\0b", "must name a folder"),
    ],
)
def test_other_url_is_refused(url: str, rule: str) -> None:
    with pytest.raises(InvalidArgument, match=rule) as caught:
        open_store(url)
    assert caught.value.field == "store"

"""Servers as processes of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from served import STOP_SECONDS, Served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts servers in `tmp_path`; they end with the test."""
    started: list[Served] = []

    def start(*arguments: str, **environ: str) -> Served:
        started.append(Served(tmp_path, *arguments, **environ))
        started[-1].wait_until_open()
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait(STOP_SECONDS)
        for stream in (served.process.stderr, served.process.stdout):
            assert stream is not None
            stream.close()

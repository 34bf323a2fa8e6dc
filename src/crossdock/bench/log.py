"""The log store against the SQLite store, and against a bare file that gets the same bytes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import programs
from .contest import Contest, Measure, Sample
from .programs import BODY, SENDERS, log_url, sqlite_url

_LINE = BODY + bytes(24)
"""A body with what marks a record of the log."""


@contextmanager
def _bare_file(folder: Path) -> Iterator[Measure]:
    """Append, and sync once for 64."""
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def measure(count: int) -> Sample:
        os.ftruncate(descriptor, 0)
        began = time.perf_counter()
        for _ in range(count // SENDERS):
            for _ in range(SENDERS):
                os.write(descriptor, _LINE)
            os.fsync(descriptor)
        return Sample(count, time.perf_counter() - began)

    try:
        yield measure
    finally:
        os.close(descriptor)


CONTESTS = (
    Contest(
        name="log-send-64",
        level="local",
        ours=programs.side(log_url, programs.send),
        raw=programs.side(sqlite_url, programs.send),
        against="the SQLite store; 64 senders",
        messages=16_000,
        target=1.5,
        limit="The calls of client, broker and loop, which both stores pay; beside them one sync for all 64.",
    ),
    Contest(
        name="log-send-64-bare",
        level="local",
        ours=programs.side(log_url, programs.send),
        raw=_bare_file,
        against="a write of the same bytes for each message and an fsync for every 64; 64 senders",
        messages=16_000,
        target=0.4,
        limit="The interpreter: a write is one system call, a send wakes a task and runs the engine.",
    ),
    Contest(
        name="log-life-100",
        level="local",
        ours=programs.side(log_url, programs.live),
        raw=programs.side(sqlite_url, programs.live),
        against="the SQLite store; 4 tasks, each sends 100, receives 100 and acks them",
        messages=16_000,
        target=3.0,
        limit="The engine's work on each message, about a third of the time; else syncs and changes of thread.",
    ),
)

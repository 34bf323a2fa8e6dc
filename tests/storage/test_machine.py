"""T1: every store agrees with the engine on whatever Hypothesis makes up."""

from contextlib import closing
from pathlib import Path

import pytest

from crossdock.storage.log import LogStore
from crossdock.storage.log.compaction import compact
from crossdock.storage.log.opening import clear_away
from crossdock.storage.log.snapshot import find_snapshots
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from crossdock.storage.wal.disk import RealDisk
from crossdock.storage.wal.record import MAGIC
from crossdock.storage.wal.segment import find_segments, segment_name
from crossdock.testing.machine import StoreMachine, store_machine


def tight_log_store(folder: Path) -> LogStore:
    """Hardly any body stays in memory, segments are short, and each opening finds a new snapshot if it can."""
    disk = RealDisk(folder / "log")
    newest = 0
    for number, salt in find_segments(disk).items():
        with closing(disk.open(segment_name(number, salt))) as file:
            newest = number if file.read(0, len(MAGIC)) == MAGIC else newest
    if newest > max(find_snapshots(disk), default=1):
        clear_away(disk, newest, compact(disk, newest))
    return LogStore(folder / "log", memory_bytes=2, segment_bytes=512)


MACHINES = [
    store_machine("memory", lambda folder: MemoryStore()),
    store_machine("sqlite", lambda folder: SqliteStore(folder / "queues.db"), reopens=True),
    store_machine("log", tight_log_store, reopens=True),
]


@pytest.mark.timeout(0)
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_store_agrees_with_the_engine(machine: type[StoreMachine]) -> None:
    tally = machine.campaign()
    print(tally)
    assert tally.sequences >= 300
    assert tally.steps >= 15_000

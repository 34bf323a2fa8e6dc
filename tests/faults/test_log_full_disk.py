"""F16: a log store on a disk that is full: a real one of a few MiB, and one on which others take all that becomes free.

The real one is a file system in memory that a child mounts in a namespace of its own: it is gone when the child is.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Plain, Settings
from crossdock.core.policy import DEFAULTS
from crossdock.storage.log import LogStore
from crossdock.storage.log.journal import Journal
from crossdock.storage.log.opening import open_journal, read_log
from crossdock.storage.wal import wal
from crossdock.testing.disk import SimulatedDisk

Q = ("default", "q")
BODY = bytes(4_000)


async def fill(store: LogStore) -> int:
    """Send until the disk is full; returns how many messages were accepted."""
    accepted = 0

    async def send_on() -> None:
        nonlocal accepted
        while True:
            await store.send(Q, [Plain(b"%d" % accepted + BODY)], 2)
            accepted += 1

    with pytest.raises(StoreUnavailable, match="No space left on device"):
        await send_on()
    return accepted


async def receive_and_ack(store: LogStore, count: int) -> None:
    """Get so many messages one by one, each the next of those that were sent."""
    for _ in range(count):
        (delivery,) = await store.receive(Q, "g", 1, 60_000, 3)
        assert delivery.message.body[len(str(delivery.id - 1)) :] == BODY
        assert await store.ack(Q, "g", [delivery], 3) == {}


async def opened(folder: Path) -> LogStore:
    store = LogStore(folder / "log", memory_bytes=10_000)
    await store.open(1)
    return store


async def live_on_a_full_disk(folder: Path) -> None:
    """The child: what an operator goes through."""
    store = await opened(folder)
    await store.create_queue(Q, Settings(), 1)
    await store.create_group(Q, "g", 1)
    filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    os.posix_fallocate(filler, 0, 2 * 1024 * 1024)
    accepted = await fill(store)
    assert accepted > 100, f"only {accepted} messages were accepted"
    await receive_and_ack(store, accepted // 2)
    await store.close()
    store = await opened(folder)  # while the disk is full
    await receive_and_ack(store, accepted - accepted // 2)
    assert await store.receive(Q, "g", 1, 0, 3) == []
    os.close(filler)
    (folder / "filler").unlink()
    await store.send(Q, [Plain(BODY)], 4)
    assert [len(each.message.body) for each in await store.receive(Q, "g", 10, 0, 5)] == [len(BODY)]
    await store.close()
    print(f"{accepted} accepted, then refused; all received and acked, half of them after a restart; sends go on")


def test_a_real_disk_that_is_full(tmp_path: Path) -> None:
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mounted = f"mount -t tmpfs -o size=8m crossdock {tmp_path} && exec {sys.executable} {__file__} {tmp_path}"
    child = subprocess.run(
        ["unshare", "--mount", *rights, "sh", "-c", mounted], capture_output=True, text=True, timeout=50
    )
    assert child.returncode == 0, child.stdout + child.stderr
    print(child.stdout)
    assert "sends go on" in child.stdout


class Greedy(SimulatedDisk):
    """Once it is full, others take every byte that becomes free."""

    full = False

    def check_room(self, growth: int) -> None:
        if self.full:
            self.capacity_bytes = sum(map(len, self.files().values()))
        super().check_room(growth)


@pytest.mark.parametrize("segment_bytes", [512, 4_096, 100_000])
def test_what_is_kept_for_acks_is_kept_whatever_others_do(segment_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "AHEAD_BYTES", 512)
    for accepted in range(1, 120, 5):
        disk = Greedy(Random(accepted).random)
        journal = open_journal(disk, read_log(disk, 0), 1, DEFAULTS, segment_bytes)
        journal.create_queue(Q, Settings(), 1)
        journal.create_group(Q, "g", 1)
        for number in range(accepted):
            journal.send(Q, [Plain(b"%d" % number)], 2)
            commit(journal)
        disk.full = True
        for number in range(accepted):
            (delivery,) = journal.receive(Q, "g", 1, 60_000, 3)
            commit(journal)
            assert journal.ack(Q, "g", [delivery], 3) == {}, number
            commit(journal)


def commit(journal: Journal) -> None:
    """As the committing thread does it."""
    journal.wal.commit(journal.take())
    try:
        journal.wal.prepare(journal.reserve.for_all)
    except OSError:
        assert journal.wal.disk.full  # type: ignore[attr-defined]


if __name__ == "__main__":
    asyncio.run(live_on_a_full_disk(Path(sys.argv[1])))

"""T7: every operation of the log store on its disk fails once, with EIO and with ENOSPC; and the disk runs full.

What was answered is there in the next life (F15), whether the process ends or the power goes with it. On a full disk
new messages are refused, and what was accepted can be received and acked, one by one (F16).
"""

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from crossdock.core.errors import StoreFailed, StoreUnavailable
from crossdock.core.model import Message, Plain, Settings
from crossdock.core.policy import DEFAULTS
from crossdock.storage.log import LogStore
from crossdock.storage.log.compaction import compact
from crossdock.storage.log.journal import Journal
from crossdock.storage.log.opening import clear_away, open_journal, read_log
from crossdock.storage.wal import wal
from crossdock.storage.wal.disk import RealFile
from crossdock.storage.wal.wal import is_full
from crossdock.testing.disk import SimulatedDisk
from faults.lineage import Lineage, reused_ids

Q = ("default", "q")
KINDS = ("write", "sync", "allocate", "create", "rename", "remove", "sync names")
SEGMENT_BYTES = 1024
STEPS = 40
LONG = os.environ.get("CROSSDOCK_CAMPAIGN") == "1"
HISTORIES = 20_000 if LONG else 100


@pytest.fixture(autouse=True)
def _no_room_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is allocated in small pieces, so that there are many operations to fail."""
    monkeypatch.setattr(wal, "AHEAD_BYTES", 512)


class Caller:
    """Uses a store until its disk fails, and remembers what it was told."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self.disk = disk
        self.accepted: set[bytes] = set()
        self.acked: set[bytes] = set()
        self.unknown: set[bytes] = set()
        """What may have been done or not."""
        self.refused = 0

    def use(self) -> None:
        """Raises OSError, or StoreUnavailable at the opening, when the store can go on no more."""
        journal = self.open()
        journal.create_queue(Q, Settings(max_attempts=0), 1)
        self.commit(journal)
        for step in range(STEPS):
            now = 10 + step * 10
            self.send(journal, b"%d" % step * (1 + step % 60), now)
            self.receive_and_ack(journal, now)
            if step % 15 == 14:
                number = journal.wal.written.number
                clear_away(self.disk, number, compact(self.disk, number))

    def open(self) -> Journal:
        state = read_log(self.disk, memory_bytes=50)
        journal = open_journal(self.disk, state, 1, DEFAULTS, SEGMENT_BYTES)
        clear_away(self.disk, state.snapshot, state.needed)
        return journal

    def commit(self, journal: Journal) -> None:
        """As the committing thread does it."""
        journal.wal.commit(journal.take())
        try:
            journal.wal.prepare(journal.reserve.for_all)
        except OSError as error:
            if not is_full(error):
                raise
            self.make_do(journal)

    def make_do(self, journal: Journal) -> None:
        try:
            begun = journal.make_do()
        except OSError as error:
            if not is_full(error):
                raise
            return
        if begun:
            self.commit(journal)

    def send(self, journal: Journal, body: bytes, now: int) -> None:
        try:
            journal.send(Q, [Message(body, headers={"k": "v"})], now)
        except StoreUnavailable:
            self.refused += 1
            return
        self.unknown.add(body)
        self.commit(journal)
        self.unknown.discard(body)
        self.accepted.add(body)

    def receive_and_ack(self, journal: Journal, now: int) -> None:
        deliveries = journal.receive(Q, "g", 2, 25, now)
        self.commit(journal)
        for delivery in deliveries[:1]:
            body = journal.bodies.filled(delivery.message, journal.wal.read).body
            journal.ack(Q, "g", [delivery], now)
            self.unknown.add(body)
            self.commit(journal)
            self.unknown.discard(body)
            self.acked.add(body)

    def check(self, disk: SimulatedDisk) -> None:
        """Open the store again and get everything out of it."""
        self.disk = disk
        journal = self.open()
        if not journal.engine.queues(None):
            assert not self.accepted
            return
        left = []
        while deliveries := journal.receive(Q, "g", 100, 1_000_000, 1_000_000):
            left += [journal.bodies.filled(each.message, journal.wal.read).body for each in deliveries]
        assert len(left) == len(set(left)), "a message is there twice"
        assert set(left) - self.unknown == self.accepted - self.acked - self.unknown


def fails(kind: str, nth: int, code: int, end: Callable[[SimulatedDisk], SimulatedDisk]) -> bool:
    """One history with one error. Returns whether the store went on after it."""
    disk = SimulatedDisk(Random(nth).random)
    caller = Caller(disk)
    disk.fail(kind, nth, code)
    went_on = True
    try:
        caller.use()
    except (OSError, StoreUnavailable):
        went_on = False
    caller.check(end(disk))
    return went_on


def test_an_error_of_the_disk_loses_nothing_that_was_accepted() -> None:
    """F15: who commits gives up at the first error; what was told before is there in the next life."""
    whole = Caller(SimulatedDisk(Random(0).random))
    whole.use()
    errors = went_on = 0
    for end in (SimulatedDisk.after_exit, SimulatedDisk.after_loss):
        for kind in KINDS:
            for code in (errno.EIO, errno.ENOSPC):
                for nth in range(1, whole.disk.operations[kind] + 1):
                    went_on += fails(kind, nth, code, end)
                    errors += 1
    print(f"{errors} injected errors, 0 accepted lost, 0 acked came back, {went_on} times the store went on")
    assert errors > 1_000
    assert 0 < went_on < errors / 2, "a full disk refuses, any other error ends the life"


@pytest.mark.timeout(3600 if LONG else 120)
def test_many_errors_in_one_history_break_no_promise() -> None:
    """F3, F15, F16: everything that a queue has is in use, and each life of the store may meet several errors."""
    tally: Counter[str] = Counter()
    errors = 0
    for seed in range(HISTORIES):
        lineage = Lineage(seed)
        errors += lineage.endure(60, "read", "truncate", *KINDS)
        verdict = lineage.judge()
        assert (verdict.violations, reused_ids(lineage.events)) == ({}, []), f"seed {seed}"
        tally += lineage.tally
    print(f"{errors} injected errors, {dict(sorted(tally.items()))}, 0 lost, 0 phantom, 0 resurrected, 0 corrupt")
    assert errors > 5 * HISTORIES
    assert min(tally[what] for what in ("deaths", "losses", "refused", "disk full", "compactions failed")) > 0


def test_on_a_full_disk_all_that_was_accepted_is_received_and_acked() -> None:
    """F16: sends are refused first; hand-outs and acks go on from the room that was kept for them."""
    disk = SimulatedDisk(Random(1).random)
    caller = Caller(disk)
    journal = caller.open()
    journal.create_queue(Q, Settings(), 1)
    journal.create_group(Q, "g", 1)
    caller.commit(journal)
    disk.capacity_bytes = 64 * 1024
    while not caller.refused:
        caller.send(journal, b"%d" % len(caller.accepted) * 20, 2)
    assert len(caller.accepted) > 50
    journal.wal.close()
    journal = caller.open()  # a start on a full disk works
    for _ in range(len(caller.accepted)):
        (delivery,) = journal.receive(Q, "g", 1, 25, 3)
        caller.commit(journal)
        assert journal.ack(Q, "g", [delivery], 3) == {}
        caller.commit(journal)
        caller.acked.add(journal.bodies.filled(delivery.message, journal.wal.read).body)
    assert caller.acked == caller.accepted
    with pytest.raises(StoreUnavailable, match="no room for the log"):
        journal.send(Q, [Plain(b"x" * 60_000)], 3)
    number = journal.wal.written.number
    clear_away(disk, number, compact(disk, number))
    caller.refused = 0
    for _ in range(50):
        caller.send(journal, b"%d" % len(caller.accepted) * 20, 2)
    assert not caller.refused, "what was acked has made no room"
    caller.check(disk.after_loss())


@pytest.mark.parametrize("nth", range(1, 7))
async def test_after_a_failed_sync_nothing_is_accepted_and_nothing_tried_again(
    nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F15, with the real disk and the thread that commits."""
    sync, syncs = RealFile.sync, 0

    def fail_once(file: RealFile) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == nth:
            raise OSError(errno.EIO, "Input/output error")
        sync(file)

    store = LogStore(tmp_path / "log")
    await store.open(1)
    await store.create_queue(Q, Settings(), 1)
    monkeypatch.setattr(RealFile, "sync", fail_once)
    accepted: list[bytes] = []

    async def send_on() -> None:
        while len(accepted) < 10:
            body = b"%d" % len(accepted)
            await store.send(Q, [Plain(body)], 2)
            accepted.append(body)

    with pytest.raises(StoreFailed, match="Input/output error"):
        await send_on()
    assert len(accepted) < nth
    for verb in (store.send(Q, [Plain(b"x")], 3), store.receive(Q, "g", 1, 0, 3), store.tick(3), store.queues(None)):
        with pytest.raises(StoreFailed):
            await verb
    assert syncs == nth, "what failed was tried again"
    await store.close()
    monkeypatch.undo()
    again = LogStore(tmp_path / "log")
    await again.open(4)
    found = [delivery.message.body for delivery in await again.receive(Q, "g", 100, 0, 5)]
    assert found[: len(accepted)] == accepted
    await again.close()

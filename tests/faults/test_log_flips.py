"""T5: one bit of a log that was durable is flipped. It is told of, at the opening or when the body is read, or it is of
no consequence; never is anything delivered that was not sent, or missing in silence (F12, F40).
"""

import os
from collections import Counter
from random import Random
from types import SimpleNamespace

import msgspec
import pytest

from crossdock.core.engine import Engine
from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Message, Plain, Settings
from crossdock.core.policy import DEFAULTS
from crossdock.storage.log.compaction import compact
from crossdock.storage.log.journal import Journal
from crossdock.storage.log.opening import clear_away, open_journal, read_log
from crossdock.storage.wal import record
from crossdock.storage.wal.segment import Place
from crossdock.testing.disk import SimulatedDisk

Q = ("default", "q")
FLIPS = 500_000 if os.environ.get("CROSSDOCK_CAMPAIGN") == "1" else 2_000
SEGMENT_BYTES = 2048


class Log:
    """A log with segments, a snapshot and bodies that are on disk alone."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk(Random(1).random)
        self.stored: dict[int, bytes] = {}
        """What is not acked, by id."""
        journal = open_journal(self.disk, read_log(self.disk, 0), 1, DEFAULTS, SEGMENT_BYTES)
        journal.create_queue(Q, Settings(max_attempts=0), 1)
        self.last: Place
        """Where the last commit begins."""
        for step in range(150):
            self.commit(journal)
            body = b"%d" % step * (1 + step % 40)
            message = Plain(body) if step % 3 else Message(body, headers={"k": "v"}, priority=step % 2)
            self.stored[journal.send(Q, [message], 10 + step).ids[0]] = body
            if step % 4 == 0:
                for delivery in journal.receive(Q, "g", 2, 1_000_000, 10 + step)[:1]:
                    assert journal.ack(Q, "g", [delivery], 10 + step) == {}
                    del self.stored[delivery.id]
            if step == 120:
                number = journal.wal.written.number
                clear_away(self.disk, number, compact(self.disk, number))
        self.commit(journal)
        self.files = self.disk.files()
        self.whole = dump(read_log(self.disk, 0).engine)
        self.without_last = self._without_last()
        self.end = Place(journal.wal.segment.number, journal.wal.segment.position)

    def commit(self, journal: Journal) -> None:
        runs = journal.take()
        self.last = Place(runs[0].segment.number, runs[0].offset) if runs else Place(0, 0)
        journal.wal.commit(runs)
        journal.wal.prepare(0)

    def _without_last(self) -> bytes:
        """The state before the last commit, which is of one record."""
        name = next(name for name in self.files if name.startswith(f"segment-{self.last.segment:010}-"))
        before = self.files[name][: self.last.offset]
        return dump(read_log(SimulatedDisk(Random(1).random, self.files | {name: before}), 0).engine)

    def judge(self, name: str, offset: int, bit: int) -> str:
        """What comes of a flip."""
        content = bytearray(self.files[name])
        content[offset] ^= 1 << bit
        disk = SimulatedDisk(Random(1).random, self.files | {name: bytes(content)})
        try:
            state = read_log(disk, 0)
            found_state = dump(state.engine)
            journal = open_journal(disk, state, 1_000, DEFAULTS, SEGMENT_BYTES)
        except StoreUnavailable:
            return "refused at the opening"
        cut = state.recovery.cut_bytes
        assert found_state == self.whole or (found_state == self.without_last and cut), "the state is a wrong one"
        found: dict[int, bytes] = {}
        aside = 0
        for delivery in journal.receive(Q, "g", 1_000, 1, 10_000_000):
            try:
                found[delivery.id] = journal.bodies.filled(delivery.message, journal.wal.read).body
            except StoreUnavailable:
                aside += 1
        assert found.items() <= self.stored.items() or cut, "something was delivered that was not stored"
        if len(found) == len(self.stored):
            return "of no consequence"
        if len(found) + aside == len(self.stored):
            return "the message was set aside"
        kind, number = name.split("-")[:2]
        assert kind == "segment", "something is missing"
        assert self.last <= (int(number), offset) < self.end, "something is missing"
        assert cut, "the last commit is missing and nobody was told"
        return "taken for an unfinished write, and told of"


def dump(engine: Engine) -> bytes:
    """The whole state in bytes, with the places of bodies that are on disk alone."""
    encoder = msgspec.msgpack.Encoder(enc_hook=lambda paged: (paged.place, paged.index, paged.size))
    return b"".join(encoder.encode(item) for item in engine.dump())


def flips(log: Log, count: int) -> Counter[str]:
    random = Random(7)
    used = {name: len(content.rstrip(b"\0")) for name, content in log.files.items()}
    names = [name for name, size in used.items() for _ in range(size // 100 + 1) if size]
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        name = random.choice(names)
        size = used[name] if random.random() < 0.95 else len(log.files[name])  # with the room behind the end
        outcomes[log.judge(name, random.randrange(size), random.randrange(8))] += 1
    return outcomes


def test_no_flipped_bit_goes_unnoticed() -> None:
    log = Log()
    assert {name.split("-")[0] for name in log.files} == {"segment", "snapshot"}
    outcomes = flips(log, FLIPS)
    print(f"{FLIPS} flipped bits in {len(log.files)} files: {dict(outcomes)}, 0 unnoticed")
    assert min(outcomes["refused at the opening"], outcomes["the message was set aside"]) > FLIPS / 20


def test_without_a_checksum_a_flipped_bit_is_caught_by_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    log = Log()
    monkeypatch.setattr(record, "zlib", SimpleNamespace(crc32=lambda data, begin=0: 0))
    log.files = Log().files
    with pytest.raises((AssertionError, KeyError, ValueError)):
        flips(log, 400)

"""The write-ahead log alone: records in bytes, what is read back of any bytes, segments and room."""

import errno
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.errors import StoreUnavailable
from crossdock.storage.wal import wal
from crossdock.storage.wal.record import HEADER, end_of_data, frame, read_record, records, stray_records
from crossdock.storage.wal.recovery import Recovery
from crossdock.storage.wal.segment import find_segments, segment_name
from crossdock.storage.wal.wal import Wal
from crossdock.testing.disk import SimulatedDisk

SALT = 7
payloads = st.lists(st.binary(max_size=60), max_size=6)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def framed(found: list[bytes], salt: int = SALT) -> bytes:
    return b"".join(frame(payload, number, 0, salt) for number, payload in enumerate(found, 1))


def read_all(data: bytes) -> list[bytes]:
    return [record.payload for record in records(reader(data), 0, 1, SALT)]


@given(payloads, st.binary(max_size=80))
def test_records_come_back_and_what_follows_does_not(written: list[bytes], rest: bytes) -> None:
    assert read_all(framed(written) + rest) == written


@given(payloads.filter(bool), st.data())
def test_a_cut_or_a_flip_ends_the_records_at_the_damage(written: list[bytes], data: st.DataObject) -> None:
    whole = framed(written)
    place = data.draw(st.integers(0, len(whole) - 1))
    before = [record for record in records(reader(whole), 0, 1, SALT) if record.end <= place]
    flipped = bytearray(whole)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    for damaged in (whole[:place], bytes(flipped)):
        assert read_all(damaged) == [record.payload for record in before]


def test_a_body_that_holds_records_of_another_log_is_taken_for_none() -> None:
    """Whoever sends such a body must not be able to make a store look damaged."""
    forged = frame(framed([b"a", b"b"], salt=SALT + 1), 1, 0, SALT)
    found = list(stray_records(reader(forged), 0, len(forged), SALT))
    assert [(record.offset, record.sequence) for record in found] == [(0, 1)]
    assert read_record(reader(forged), HEADER.size, SALT) is None


@given(st.binary(max_size=30), st.integers(0, 30))
def test_the_end_of_data_is_where_only_zeros_follow(data: bytes, zeros: int) -> None:
    padded = data + bytes(zeros)
    assert end_of_data(reader(padded), 0, len(padded)) == len(data.rstrip(b"\0"))


# A log on a disk


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimulatedDisk:
    monkeypatch.setattr(wal, "AHEAD_BYTES", 64)
    return SimulatedDisk(Random(1).random)


def open_wal(disk: SimulatedDisk) -> tuple[Wal, list[bytes]]:
    recovery = Recovery(disk, 1, 0)
    found = [record.payload for _, record in recovery.replay()]
    return Wal(disk, recovery, SALT, segment_bytes=200), found


def write(log: Wal, *found: bytes) -> None:
    for payload in found:
        log.make_room(len(payload), 0)
        log.append(payload)
    log.commit(log.take())
    log.prepare(0)


def test_what_was_committed_is_read_back_over_many_segments(disk: SimulatedDisk) -> None:
    log, found = open_wal(disk)
    assert found == []
    sent = [b"%02d" % number * 10 for number in range(40)]
    for payload in sent:
        write(log, payload)
    assert list(find_segments(disk)) == list(range(1, log.segment.number + 1 + (log._next is not None)))
    assert log.segment.number > 5
    for number in range(1, log.segment.number):
        size = disk.open(segment_name(number, SALT)).size()
        assert 200 <= size < 260, "what was allocated ahead of a segment that is whole goes back to the disk"
    again, found = open_wal(disk.after_loss())
    assert found == sent
    assert again.sequence == again.durable == 40


def test_one_commit_may_reach_over_two_segments(disk: SimulatedDisk) -> None:
    log, _ = open_wal(disk)
    write(log, b"a" * 150)
    for payload in (b"b" * 30, b"c" * 10):
        log.make_room(len(payload), 0)
        log.append(payload)
    runs = log.take()
    assert [run.segment.number for run in runs] == [1, 2]
    log.commit(runs)
    assert open_wal(disk.after_loss())[1] == [b"a" * 150, b"b" * 30, b"c" * 10]


def test_an_unfinished_write_is_cut_and_new_records_take_its_place(disk: SimulatedDisk) -> None:
    """F12."""
    log, _ = open_wal(disk)
    write(log, b"first")
    place = log.segment.position
    file = disk.open(segment_name(1, SALT))
    file.write(place, frame(b"never finished", 2, 0, SALT)[:-1])
    file.sync()
    recovery = Recovery(disk, 1, 0)
    assert [record.payload for _, record in recovery.replay()] == [b"first"]
    assert recovery.cut_bytes == HEADER.size + len(b"never finished") - 1
    log = Wal(disk, recovery, SALT)
    write(log, b"2")
    assert open_wal(disk.after_loss())[1] == [b"first", b"2"]


def test_a_damaged_record_that_had_been_durable_is_reported(disk: SimulatedDisk) -> None:
    """F12: the record behind it was written when it was durable already, and says so."""
    log, _ = open_wal(disk)
    write(log, b"first")
    write(log, b"second")
    disk.open(segment_name(1, SALT)).write(HEADER.size, b"F")
    with pytest.raises(StoreUnavailable, match="record 1 had been durable and cannot be read at byte 0"):
        open_wal(disk)


def test_a_damaged_record_of_the_last_commit_is_an_unfinished_write(disk: SimulatedDisk) -> None:
    log, _ = open_wal(disk)
    write(log, b"first")
    place = log.segment.position
    write(log, b"second", b"third")
    disk.open(segment_name(1, SALT)).write(place + HEADER.size, b"S")
    assert open_wal(disk)[1] == [b"first"]


def test_a_missing_segment_is_reported(disk: SimulatedDisk) -> None:
    log, _ = open_wal(disk)
    for _ in range(20):
        write(log, b"x" * 40)
    disk.remove(segment_name(2, SALT))
    with pytest.raises(StoreUnavailable, match="a segment is missing"):
        open_wal(disk)


def test_a_segment_exists_for_certain_before_anything_is_written_to_it(disk: SimulatedDisk) -> None:
    """F14: even if power fails at once and everything unsynced is gone."""
    disk.chance = lambda: 1.0  # nothing that was not synced survives
    log, _ = open_wal(disk)
    for number in range(30):
        write(log, b"%02d" % number * 20)
        assert len(open_wal(disk.after_loss())[1]) == number + 1


def test_room_is_kept_and_a_full_disk_refuses_before_anything_changes(disk: SimulatedDisk) -> None:
    """F16."""
    log, _ = open_wal(disk)
    disk.capacity_bytes = 1_000
    with pytest.raises(OSError, match="No space left") as full:
        log.make_room(500, keep=600)
    assert full.value.errno == errno.ENOSPC
    log.make_room(500, keep=400)
    log.append(bytes(500))
    log.make_room(300, keep=0)  # of what was kept
    log.append(bytes(300))
    log.commit(log.take())
    assert [len(payload) for payload in open_wal(disk.after_loss())[1]] == [500, 300]


def test_what_was_read_from_the_systems_memory_is_written_again(disk: SimulatedDisk) -> None:
    """F15: the process that failed to sync is gone; who reads what it had written saves it."""
    log, _ = open_wal(disk)
    write(log, b"durable")
    log.make_room(6, 0)
    log.append(b"seen")
    disk.fail("sync", 1, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        log.commit(log.take())
    again = disk.after_exit()
    _, found = open_wal(again)
    assert open_wal(again.after_loss())[1] == found

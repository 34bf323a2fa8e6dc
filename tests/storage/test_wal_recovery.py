"""What a log is after a loss of power or the death of its process, and the files under it while it is used."""

import errno
import os
from pathlib import Path
from random import Random

import pytest

from crossdock.core.errors import StoreUnavailable
from crossdock.core.policy import DEFAULTS
from crossdock.storage.log.opening import open_journal, read_log
from crossdock.storage.wal import wal
from crossdock.storage.wal.disk import Disk, RealDisk, RealFile
from crossdock.storage.wal.record import HEADER, frame
from crossdock.storage.wal.recovery import Recovery
from crossdock.storage.wal.segment import segment_name
from crossdock.storage.wal.wal import Wal, is_full
from crossdock.testing.disk import PowerLost, SimulatedDisk

SALT = 7
SEGMENT_BYTES = 200


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimulatedDisk:
    monkeypatch.setattr(wal, "AHEAD_BYTES", 64)
    return SimulatedDisk(Random(1).random)


def recover(disk: Disk) -> tuple[Wal, list[bytes]]:
    recovery = Recovery(disk, 1, 0)
    found = [each.payload for _, each in recovery.replay()]
    return Wal(disk, recovery, SALT, SEGMENT_BYTES), found


def append(log: Wal, payload: bytes, keep: int = 0) -> None:
    log.make_room(len(payload), keep)
    log.append(payload)


def write(log: Wal, *payloads: bytes) -> None:
    for payload in payloads:
        append(log, payload)
    log.commit(log.take())
    log.prepare(0)


def fill(log: Wal, count: int) -> list[bytes]:
    payloads = [b"%02d" % number * 20 for number in range(count)]
    for payload in payloads:
        write(log, payload)
    return payloads


def spoil(disk: SimulatedDisk, name: str, offset: int) -> None:
    file = disk.open(name)
    file.write(offset, bytes([file.read(offset, 1)[0] ^ 1]))
    file.sync()


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()


@pytest.mark.parametrize(("salt", "refused"), [(SALT + 1, False), (SALT, True)])
def test_an_unfinished_body_that_holds_records_is_no_damage(disk: SimulatedDisk, salt: int, refused: bool) -> None:
    """F12: nobody can make a log look damaged by a body that a loss of power tears; with the salt one could."""
    log, _ = recover(disk)
    write(log, b"first")
    forged = frame(b"x" + frame(b"I say that all before me was durable", 900, 0, salt), 2, 0, SALT)
    file = disk.open(segment_name(1, SALT))
    file.write(log.segment.position, forged[:-1] if not refused else b"?" + forged[1:])
    file.sync()
    if refused:
        with pytest.raises(StoreUnavailable, match="record 2 had been durable"):
            recover(disk)
    else:
        assert recover(disk)[1] == [b"first"]


def test_every_record_but_the_last_is_known_to_have_been_durable(disk: SimulatedDisk) -> None:
    """F12: across segments too. A flip in any of them is refused; in the last it is an unfinished write, and cut."""
    log, _ = recover(disk)
    payloads = fill(log, 12)
    files = disk.files()
    places = [place for place, _ in Recovery(disk, 1, 0).replay()]
    assert len({place.segment for place in places}) == 3
    for number, place in enumerate(places, 1):
        damaged = SimulatedDisk(Random(1).random, files)
        spoil(damaged, segment_name(place.segment, SALT), place.offset + HEADER.size)
        if number < len(places):
            with pytest.raises(StoreUnavailable, match=f"record {number} had been durable and cannot"):
                recover(damaged)
            assert damaged.files().keys() == files.keys(), "what is refused is left as it is"
        else:
            assert recover(damaged)[1] == payloads[:-1]


def test_a_recovery_that_is_interrupted_is_done_again(disk: SimulatedDisk) -> None:
    """F12: at any operation on the disk, by a loss of power or a death."""
    log, _ = recover(disk)
    payloads = fill(log, 12)
    torn = log.segment
    torn.file.write(torn.position, frame(b"unfinished" * 30, 13, 0, SALT)[:-1])
    torn.file.sync()
    files = disk.files()
    interrupted = 0
    for operations in range(1, 100):
        for seed in range(4):
            life = SimulatedDisk(Random(seed).random, files)
            life.lose_power_after(operations)
            try:
                recover(life)
            except PowerLost:
                interrupted += 1
                again, found = recover(life.after_loss() if seed else life.after_exit())
                assert found == payloads
                write(again, b"new")
                assert recover(again.disk.after_loss())[1] == [*payloads, b"new"]  # type: ignore[attr-defined]
    assert interrupted >= 12


def test_what_recovery_read_is_durable_before_it_is_built_upon(disk: SimulatedDisk) -> None:
    """F12: a process wrote a record and died before it synced; what the next one shows must not vanish."""
    disk.chance = lambda: 1.0  # nothing that was not synced survives
    log, _ = recover(disk)
    write(log, b"first")
    log.segment.file.write(log.segment.position, frame(b"unsynced", 2, 0, SALT))
    assert recover(disk.after_loss())[1] == [b"first"]
    next_process = disk.after_exit()
    assert recover(next_process)[1] == [b"first", b"unsynced"]
    assert recover(next_process.after_loss())[1] == [b"first", b"unsynced"]


def test_a_segment_is_not_used_when_its_name_could_not_be_made_durable(disk: SimulatedDisk) -> None:
    """F14, F15: it is the end of this life, also where a lack of room is the reason; the next one begins anew."""
    log, _ = recover(disk)
    append(log, bytes(160))
    log.commit(log.take())
    disk.fail("sync names", 1, errno.ENOSPC)
    with pytest.raises(OSError, match="No space left") as failure:
        log.prepare(0)
    assert not is_full(failure.value)
    log, found = recover(disk.after_exit())
    assert found == [bytes(160)]
    write(log, b"in the next life")
    assert recover(log.disk.after_loss())[1] == [bytes(160), b"in the next life"]


# Segments and room


def test_room_is_allocated_and_written_ahead_and_stays_for_the_next_life(disk: SimulatedDisk) -> None:
    """F16: with the room go the acks that it was kept for."""
    log, _ = recover(disk)
    append(log, b"first", keep=100)
    log.commit(log.take())
    log.prepare(keep=100)
    segment = log.segment
    assert segment.allocated >= segment.position + 100
    assert segment.position < segment.written <= segment.allocated
    room = segment.allocated
    again, _ = recover(disk.after_loss())
    assert again.segment.allocated == room
    disk = again.disk  # type: ignore[assignment]
    disk.capacity_bytes = 0
    append(again, b"a" * 60)  # on a disk that is full
    again.commit(again.take())
    assert recover(disk.after_loss())[1] == [b"first", b"a" * 60]


def test_a_full_disk_gets_back_what_need_not_be_kept(disk: SimulatedDisk) -> None:
    log, _ = recover(disk)
    log.prepare(keep=1_000)
    write(log, bytes(20))
    assert not log.make_do(keep=50), "too little was written to be worth a segment"
    assert log.segment.allocated == max(log.segment.position + 50, log.segment.written)
    write(log, bytes(60))
    before = log.segment
    assert log.make_do(keep=50)
    assert (log.segment.number, log.written) == (2, before)
    write(log, b"next")
    assert disk.open(segment_name(1, SALT)).size() == before.position
    assert recover(disk.after_loss())[1] == [bytes(20), bytes(60), b"next"]


def test_files_of_whole_segments_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "AHEAD_BYTES", 64)
    before = descriptors()
    log, _ = recover(RealDisk(tmp_path))
    payloads = fill(log, 60)
    assert log.segment.number > 10
    assert len(descriptors() - before) <= 2, "the current segment and the next"
    for path in sorted(tmp_path.iterdir())[: log.written.number - 1]:
        assert SEGMENT_BYTES <= path.stat().st_size < SEGMENT_BYTES + 80, "as long as its records"
    log.close()
    assert descriptors() <= before
    again, found = recover(RealDisk(tmp_path))
    again.close()
    assert found == payloads
    assert descriptors() <= before


def test_an_opening_that_fails_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = RealDisk(tmp_path)
    open_journal(disk, read_log(disk, 0), 1, DEFAULTS, SEGMENT_BYTES).wal.close()
    state = read_log(disk, 0)
    before = descriptors()

    def fail(file: RealFile, offset: int, data: bytes) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("crossdock.storage.wal.segment.Segment.write", fail)
    with pytest.raises(OSError, match="Input/output error"):
        open_journal(disk, state, 1, DEFAULTS, SEGMENT_BYTES)
    assert descriptors() <= before

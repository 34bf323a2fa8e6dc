"""From the files of a log to the engine: the newest snapshot, and the commands since."""

import secrets
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from crossdock.core.engine import Engine
from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Settings
from crossdock.core.policy import DEFAULTS
from crossdock.storage.wal.disk import Disk
from crossdock.storage.wal.recovery import Recovery
from crossdock.storage.wal.segment import find_segments, segment_name
from crossdock.storage.wal.wal import Wal

from .bodies import Bodies
from .commands import decode
from .journal import Journal
from .replay import Replay
from .snapshot import UNFINISHED, Snapshot, find_snapshots, snapshot_name

FIRST_SEGMENT = 1


class State(NamedTuple):
    """What a log holds."""

    engine: Engine
    bodies: Bodies
    recovery: Recovery
    defaults: Settings
    snapshot: int
    """Number of the snapshot that was read, 0 without one."""
    needed: list[int]
    """Segments before the snapshot that hold bodies."""
    commands: int
    """How many commands were done again."""


def read_log(disk: Disk, memory_bytes: int, stop: int | None = None) -> State:
    """Rebuild the state, as it was before segment `stop` if that is given. Changes nothing.

    Raises StoreUnavailable for a log that is damaged, or of another format, and OSError.
    """
    engine = Engine(generation=secrets.randbits(62))
    bodies = Bodies(memory_bytes, lambda: engine.census()[1])
    number, first, sequence, defaults = 0, FIRST_SEGMENT, 0, DEFAULTS
    needed: list[int] = []
    found = find_snapshots(disk)
    if found:
        number = first = found[-1]
        snapshot = Snapshot(disk, number, bodies)
        sequence, defaults = snapshot.head.sequence, snapshot.head.defaults
        engine.set_defaults(defaults)
        try:
            engine.restore(snapshot.items())
        except (ValueError, KeyError, msgspec.DecodeError) as error:
            raise StoreUnavailable(f"{snapshot_name(number)} makes no sense: {error!r}") from error
        needed = snapshot.segments
    missing = set(needed) - set(find_segments(disk))
    if missing:
        raise StoreUnavailable(f"segment {min(missing)} is missing: it holds bodies of stored messages")
    recovery = Recovery(disk, first, sequence, stop)
    if recovery.salt is None and (found or find_segments(disk)):
        raise StoreUnavailable(f"segment {first} is missing")
    replay = Replay(engine, bodies)
    done = 0
    for place, record in recovery.replay():
        try:
            command = decode(record.payload)
        except msgspec.DecodeError as error:
            raise StoreUnavailable(f"record {record.sequence} of the log is no command: {error}") from error
        replay.apply(command, place)
        done += 1
    if replay.opened is not None:
        defaults = replay.opened.defaults
    return State(engine, bodies, recovery, defaults, number, needed, done)


def clear_away(disk: Disk, snapshot: int, needed: list[int]) -> None:
    """Remove what the newest snapshot has made superfluous, and what was left unfinished."""
    names = [snapshot_name(number) for number in find_snapshots(disk) if number < snapshot]
    names += [
        segment_name(number, salt)
        for number, salt in find_segments(disk).items()
        if number < snapshot and number not in needed
    ]
    for name in names:
        disk.remove(name)
    if names:
        disk.sync()


def clear_unfinished(disk: Disk) -> Iterator[str]:
    """Remove what compactions that never ended have left; tells the names."""
    for name in disk.names():
        if name.endswith(UNFINISHED):
            disk.remove(name)
            yield name


def open_journal(disk: Disk, state: State, now: int, defaults: Settings, segment_bytes: int) -> Journal:
    """Go on with a log that was read: cut what is unfinished, note the opening. Raises OSError, StoreUnavailable."""
    salt = state.recovery.salt
    if salt is None:
        salt = state.engine.generation & 0xFFFFFFFF
    wal = Wal(disk, state.recovery, salt, segment_bytes)
    journal = Journal(state.engine, wal, state.bodies)
    try:
        journal.opened(now, defaults)
        wal.commit(journal.take())
    except BaseException:
        wal.close()
        raise
    return journal

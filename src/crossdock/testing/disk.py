"""A disk in memory for the log store (`storage.wal.disk.Disk`) that can lose power, break, run full and rot.

A kill -9 proves nothing about fsync, as the operating system keeps what a dead process wrote. Here what was not synced
is gone after a loss of power, or there, or torn, in any combination; and so are names of files when the folder was not
synced.
"""

import errno
import os
from collections import Counter
from collections.abc import Mapping

from crossdock.core.errors import StoreUnavailable

from .medium import Chance, Change, Medium

Names = dict[str, Medium | None]
"""New files by name; None where there is no file any more."""


class PowerLost(BaseException):
    """The power has failed; nobody who runs on it can do anything about that."""


class SimulatedDisk:
    """One folder. `chance` decides what a loss of power leaves, see `medium.Chance`.

    `operations` counts by kind: "write", "allocate", "truncate", "sync", "create", "rename", "remove", "sync names" and
    "read". All but the last can be the one in which the power fails, all can be made to fail.
    """

    def __init__(self, chance: Chance, files: Mapping[str, bytes | bytearray] | None = None) -> None:
        self.chance = chance
        self.operations: Counter[str] = Counter()
        self.failed = 0
        """How many operations failed as `fail` asked for."""
        self.capacity_bytes: int | None = None
        """Of all files together; None is no bound. What needs more fails with ENOSPC."""
        self._names = {name: Medium(content) for name, content in (files or {}).items()}
        self._durable_names = dict(self._names)
        self._pending_names: list[Names] = []
        """What was done to names since they were synced. Each is done whole or not at all."""
        self._failures: dict[tuple[str, int], int] = {}
        self._left: int | None = None
        """How many operations the power lasts, None for ever."""
        self._locked = False

    # What a test does

    def files(self) -> dict[str, bytes]:
        """The content by name, as it is seen."""
        return {name: bytes(medium.seen) for name, medium in sorted(self._names.items())}

    def lose_power_after(self, operations: int) -> None:
        """Raise PowerLost at the end of the n-th operation from now, and at all that follow."""
        self._left = operations

    def fail(self, kind: str, nth: int, code: int) -> None:
        """Have the n-th operation of a kind from now fail with that `errno` code, once."""
        self._failures[kind, self.operations[kind] + nth] = code

    def after_loss(self) -> "SimulatedDisk":
        """The disk of the next life, when the power is back."""
        names = dict(self._durable_names)
        for change in self._pending_names:
            if self.chance() < 0.5:
                _rename(names, change)
        return SimulatedDisk(self.chance, {name: medium.after_loss(self.chance) for name, medium in names.items()})

    def after_exit(self) -> "SimulatedDisk":
        """The disk of the next process, when this one has ended and the power has not: all is seen, little durable."""
        disk = SimulatedDisk(self.chance)
        disk._names, disk._durable_names = self._names, self._durable_names
        disk._pending_names = self._pending_names
        return disk

    # What the files and the methods below ask

    def begin(self, kind: str) -> OSError | None:
        """Count an operation. Returns the error with which it is to fail. Raises PowerLost when there is no power."""
        if self._left == 0:
            raise PowerLost
        self.operations[kind] += 1
        code = self._failures.pop((kind, self.operations[kind]), None)
        if code is None:
            return None
        self.failed += 1
        return OSError(code, os.strerror(code))

    def end(self) -> None:
        """The operation is done, which is not known to anybody when the power fails right now."""
        if self._left is not None:
            self._left -= 1
            if not self._left:
                raise PowerLost

    def check_room(self, growth: int) -> None:
        """Raise OSError when the disk is too full for that."""
        if self.capacity_bytes is not None and growth > 0:
            used = sum(len(medium.seen) for medium in self._names.values())
            if used + growth > self.capacity_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    # What the log calls

    def names(self) -> list[str]:
        return sorted(self._names)

    def create(self, name: str) -> "SimulatedFile":
        self._begin("create")
        if name in self._names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        medium = Medium()
        self._change_names({name: medium})
        return SimulatedFile(self, medium)

    def open(self, name: str) -> "SimulatedFile":
        return SimulatedFile(self, self._medium(name))

    def rename(self, old: str, new: str) -> None:
        self._begin("rename")
        self._change_names({old: None, new: self._medium(old)})

    def remove(self, name: str) -> None:
        self._begin("remove")
        self._medium(name)
        self._change_names({name: None})

    def sync(self) -> None:
        error = self.begin("sync names")
        for change in self._pending_names:
            if error is None or self.chance() < 0.5:
                _rename(self._durable_names, change)
        self._pending_names = []
        if error is not None:
            raise error
        self.end()

    def lock(self) -> None:
        if self._locked:
            raise StoreUnavailable("the disk is in use")
        self._locked = True

    def close(self) -> None:
        self._locked = False

    def _begin(self, kind: str) -> None:
        error = self.begin(kind)
        if error is not None:
            raise error

    def _medium(self, name: str) -> Medium:
        medium = self._names.get(name)
        if medium is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return medium

    def _change_names(self, change: Names) -> None:
        self._pending_names.append(change)
        _rename(self._names, change)
        self.end()


def _rename(names: dict[str, Medium], change: Names) -> None:
    for name, medium in change.items():
        if medium is None:
            names.pop(name, None)
        else:
            names[name] = medium


class SimulatedFile:
    """A file that is open. One that fails to write, or to allocate, may have done it in part."""

    def __init__(self, disk: SimulatedDisk, medium: Medium) -> None:
        self._disk = disk
        self._medium = medium

    def size(self) -> int:
        return len(self._medium.seen)

    def read(self, offset: int, size: int) -> bytes:
        error = self._disk.begin("read")
        if error is not None:
            raise error
        return bytes(self._medium.seen[offset : offset + size])

    def write(self, offset: int, data: bytes) -> None:
        self._do("write", Change("write", offset, data), offset + len(data))

    def allocate(self, size: int) -> None:
        self._do("allocate", Change("grow", size), size)

    def truncate(self, size: int) -> None:
        self._do("truncate", Change("grow" if size > self.size() else "cut", size), size)

    def _do(self, kind: str, change: Change, size: int) -> None:
        error = self._disk.begin(kind)
        if error is not None:
            self._medium.do(change.part(self._disk.chance()))
            raise error
        self._disk.check_room(size - self.size())
        self._medium.do(change)
        self._disk.end()

    def sync(self) -> None:
        error = self._disk.begin("sync")
        if error is not None:
            self._medium.fail_to_sync(self._disk.chance)
            raise error
        self._medium.sync()
        self._disk.end()

    def close(self) -> None:
        """Nothing: a file that is closed is synced by nobody."""

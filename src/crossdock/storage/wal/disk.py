"""What the log asks of a folder on a disk, and the real one. Tests have one that loses power.

Every method may raise OSError. Sizes and offsets are bytes.
"""

import errno
import fcntl
import os
from pathlib import Path
from typing import Protocol

from crossdock.core.errors import StoreUnavailable
from crossdock.storage.folders import make_folder, network_file_system, sync_folder

LOCK = "lock"
_ZEROS = bytes(64 * 1024)


class File(Protocol):
    """A file that is open for reading and writing."""

    def size(self) -> int: ...

    def read(self, offset: int, size: int) -> bytes:
        """Fewer bytes at the end of the file."""
        ...

    def write(self, offset: int, data: bytes) -> None: ...

    def allocate(self, size: int) -> None:
        """Make the file `size` long, new bytes being zero, with room on the disk for all of them."""
        ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None:
        """Make content and size durable (F13)."""
        ...

    def close(self) -> None: ...


class Disk(Protocol):
    """One folder."""

    def names(self) -> list[str]: ...

    def create(self, name: str) -> File:
        """A new empty file. That it exists is durable after `sync`."""
        ...

    def open(self, name: str) -> File: ...

    def rename(self, old: str, new: str) -> None: ...

    def remove(self, name: str) -> None: ...

    def sync(self) -> None:
        """Make the names durable: created, renamed and removed files (F14)."""
        ...

    def lock(self) -> None:
        """Keep every other owner out, until `close` (F41). Raises StoreUnavailable when there is one."""
        ...

    def close(self) -> None: ...


class RealFile:
    """See File."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def write(self, offset: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._descriptor, rest, offset)
            rest, offset = rest[written:], offset + written

    def allocate(self, size: int) -> None:
        if hasattr(os, "posix_fallocate"):
            old = self.size()  # only what is new: where the system cannot do it, the library writes to every block
            os.posix_fallocate(self._descriptor, old, size - old)
            return
        for offset in range(self.size(), size, len(_ZEROS)):  # macOS has no such call
            self.write(offset, _ZEROS[: size - offset])

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, whose fsync leaves data in the drive's cache
            fcntl.fcntl(self._descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class RealDisk:
    """See Disk. Makes the folder, and its parents, when missing. Raises OSError, StoreUnavailable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None
        make_folder(folder)
        kind = network_file_system(folder)
        if kind:  # where locks and syncs may not be what they seem (F18)
            raise StoreUnavailable(f"it lies on a network file system ({kind}), where a log cannot be kept safe")

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def create(self, name: str) -> File:
        return RealFile(os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def open(self, name: str) -> File:
        return RealFile(os.open(self.folder / name, os.O_RDWR | os.O_CLOEXEC))

    def rename(self, old: str, new: str) -> None:
        os.rename(self.folder / old, self.folder / new)

    def remove(self, name: str) -> None:
        os.unlink(self.folder / name)

    def sync(self) -> None:
        sync_folder(self.folder)

    def lock(self) -> None:
        self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take_lock(self._lock)
        except BaseException:
            self.close()
            raise

    def _take_lock(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            owner = os.pread(lock, 10, 0).decode(errors="replace").strip()
            raise StoreUnavailable(f"{self.folder} is in use by process {owner or '?'}") from None
        os.pwrite(lock, f"{os.getpid():<10}".encode(), 0)  # in place, which works on a full disk too

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

"""The files of a log: numbered segments, and where in them a record is."""

import re
import threading
from typing import NamedTuple

from .disk import Disk, File

_NAME = re.compile(r"segment-(\d{10})-([0-9a-f]{8})")


class DiskFailed(OSError):
    """A write or a sync failed for which there was room: whatever the reason, the log must not be used (F15)."""


class Place(NamedTuple):
    """Where a record begins."""

    segment: int
    offset: int


class Segment:
    """A segment that is written.

    `position` is where the next record goes, `allocated` how far there is room, `written` how far bytes were written.
    """

    __slots__ = ("_lock", "allocated", "file", "number", "position", "written")

    def __init__(self, number: int, file: File, position: int = 0) -> None:
        self._lock = threading.Lock()
        self.number = number
        self.file = file
        self.position = position
        self.written = position
        self.allocated = file.size()

    def allocate(self, size: int) -> None:
        """Have room up to `size`. Raises OSError when the disk is full; then nothing has changed."""
        with self._lock:  # who appends and who prepares may both want room
            if size > self.allocated:
                self.file.allocate(size)
                self.allocated = size

    def write(self, offset: int, data: bytes) -> None:
        """Write and sync. Raises OSError."""
        try:
            self.file.write(offset, data)
            self.file.sync()
        except OSError as error:
            raise DiskFailed(error.errno, error.strerror) from error
        self.written = max(self.written, offset + len(data))

    def write_ahead(self, size: int) -> None:
        """Write so many zeros where records will go, as far as there is room.

        A sync of blocks that were written before need not wait for the file system's own journal: a third faster.
        """
        zeros = min(size, self.allocated - self.written)
        if zeros > 0:
            self.write(self.written, bytes(zeros))


def segment_name(number: int, salt: int) -> str:
    """The file of a segment."""
    return f"segment-{number:010}-{salt:08x}"


def find_segments(disk: Disk) -> dict[int, int]:
    """Number -> salt of the segments in a folder, in order."""
    matches = filter(None, map(_NAME.fullmatch, disk.names()))
    return dict(sorted((int(match[1]), int(match[2], 16)) for match in matches))

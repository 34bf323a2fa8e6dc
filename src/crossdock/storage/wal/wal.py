"""The log as it is written: records take their place at once, and are durable after the next commit.

`commit` and `prepare` may run in one thread while another calls `make_room`, `append` and `take`, one at a time.
"""

import errno
from contextlib import closing
from typing import NamedTuple

from .disk import Disk
from .record import HEADER, Record, frame, read_record
from .recovery import Recovery
from .segment import DiskFailed, Place, Segment, segment_name

SEGMENT_BYTES = 16 * 1024 * 1024
"""A segment that is longer is followed by the next as soon as the disk has room for that."""
AHEAD_BYTES = 1024 * 1024
"""How much room is allocated ahead at once, beyond what must stay free."""

SPARE_BYTES = 4096
"""Room of a segment that is begun on a full disk, beyond what must stay free."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def is_full(error: OSError) -> bool:
    """Whether there is no room left, on the disk or in the system's tables; nothing that was promised has failed."""
    return error.errno in _NO_ROOM and not isinstance(error, DiskFailed)


class Run(NamedTuple):
    """Records on their way to the disk that follow each other in a segment."""

    segment: Segment
    offset: int
    payloads: list[bytes]


class Wal:
    """A log open for appending, after its `recovery`. `keep` is room for records that must not fail."""

    def __init__(self, disk: Disk, recovery: Recovery, salt: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.disk = disk
        self.salt = salt
        self.segment_bytes = segment_bytes
        self.sequence = recovery.sequence
        """Of the last record written."""
        self.durable = recovery.sequence
        number, offset = recovery.end
        recovery.cut()
        if recovery.salt is None:
            self.segment = self._new_segment(number, 0)
            """The one that records go to."""
        else:
            self.segment = Segment(number, disk.open(segment_name(number, salt)), offset)
        self.written = self.segment
        """The one that was committed to last: those before it are whole, and nothing is written to them any more."""
        self._next: Segment | None = None
        self._runs: list[Run] = []
        self._payloads: list[bytes] = []
        """Of the last run."""

    def make_room(self, payload_bytes: int, keep: int) -> None:
        """Make sure that such a record can be appended and leaves `keep` bytes of room behind it.

        Raises OSError when the disk is too full for that.
        """
        if self.segment.position >= self.segment_bytes and self._next is not None:
            self._change_to(self._next)
        segment = self.segment
        end = segment.position + HEADER.size + payload_bytes + keep
        if end > segment.allocated:
            try:
                segment.allocate(end + AHEAD_BYTES)
            except OSError:
                segment.allocate(end)

    def _change_to(self, following: Segment) -> None:
        """Go on in the next segment, unless it has less room than is left here: that may be what is kept (F16)."""
        try:
            following.allocate(self.segment.allocated - self.segment.position)
        except OSError:
            return
        self.segment, self._next = following, None

    def append(self, payload: bytes) -> int:
        """Take a record for which there is room. Returns its offset in the current segment."""
        segment = self.segment
        offset = segment.position
        segment.position = offset + HEADER.size + len(payload)
        if not self._runs or self._runs[-1].segment is not segment:
            self._payloads = []
            self._runs.append(Run(segment, offset, self._payloads))
        self._payloads.append(payload)
        return offset

    def take(self) -> list[Run]:
        """The records that were not committed yet; they are the caller's to commit."""
        taken, self._runs = self._runs, []
        return taken

    def commit(self, runs: list[Run]) -> None:
        """Write and sync records. After an OSError nothing is known of them, and the log must not be used (F15)."""
        for run in runs:
            if run.segment is not self.written:
                self._finish(self.written)
                self.written = run.segment
            self._write(run)
        self.durable = self.sequence

    def _write(self, run: Run) -> None:
        frames = []
        for payload in run.payloads:
            self.sequence += 1
            frames.append(frame(payload, self.sequence, self.sequence - 1 - self.durable, self.salt))
        run.segment.write(run.offset, b"".join(frames))

    @staticmethod
    def _finish(segment: Segment) -> None:
        """Nothing more is written to a segment."""
        segment.file.truncate(segment.position)
        segment.file.close()

    def prepare(self, keep: int) -> None:
        """Allocate room ahead, and the next segment.

        Raises OSError: when the disk is too full (`is_full`) the log goes on, else it must not be used (F15).
        """
        if self._next is None:  # first: from here on nobody but us changes which segment is the current one
            segment = self.segment
            if segment.position * 4 >= self.segment_bytes * 3:
                self._next = self._new_segment(segment.number + 1, keep + AHEAD_BYTES)
        segment = self.segment
        if segment.allocated - segment.position < keep + AHEAD_BYTES // 2:
            segment.allocate(segment.position + keep + AHEAD_BYTES)
        if segment.written - segment.position < AHEAD_BYTES // 4:
            segment.write_ahead(AHEAD_BYTES // 2)

    def make_do(self, keep: int) -> bool:
        """The disk is full: give back room beyond `keep`; begin the next segment if this one may be worth compacting.

        Returns whether it did. Must not overlap with any other call. Raises OSError as `prepare`.
        """
        segment = self.segment
        needed = max(segment.position + keep, segment.written)
        if segment.allocated > needed:
            segment.file.truncate(needed)
            segment.allocated = needed
        if segment.position < AHEAD_BYTES:
            return False
        if self._next is None:
            self._next = self._new_segment(segment.number + 1, keep + SPARE_BYTES)
        self._next.allocate(keep)
        self.segment, self._next = self._next, None
        return True

    def _new_segment(self, number: int, size: int) -> Segment:
        """Create a segment; that it exists is durable before anything is written to it (F14)."""
        name = segment_name(number, self.salt)
        segment = Segment(number, self.disk.create(name))
        try:
            segment.allocate(size)
        except OSError:
            segment.file.close()
            self.disk.remove(name)
            raise
        try:
            segment.file.sync()
            self.disk.sync()
        except OSError as error:
            segment.file.close()
            raise DiskFailed(error.errno, error.strerror) from error
        return segment

    def is_written(self, place: Place) -> bool:
        """Whether the record there was committed, and can be read."""
        first = self._runs[0] if self._runs else None
        return first is None or place < (first.segment.number, first.offset)

    def read(self, place: Place) -> Record | None:
        """A record that was committed, None when it is damaged. Raises OSError."""
        with closing(self.disk.open(segment_name(place.segment, self.salt))) as file:
            return read_record(file.read, place.offset, self.salt)

    def close(self) -> None:
        """Close the files. Everything must have been committed. Room that was allocated stays, for the next life."""
        for segment in {id(each): each for each in (self.written, self.segment, self._next) if each}.values():
            segment.file.close()

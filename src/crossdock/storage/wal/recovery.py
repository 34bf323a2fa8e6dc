"""Reading a log back: where its records are, where they end, and whether that end is one."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing

from crossdock.core.errors import StoreUnavailable

from .disk import Disk, File
from .record import Record, end_of_data, read_record, records, stray_records
from .segment import Place, find_segments, segment_name


class Recovery:
    """One pass over the records from a segment on, up to segment `stop` if that is given.

    Once `replay` is used up, `cut` makes the log fit for appending.
    """

    def __init__(self, disk: Disk, first_segment: int, sequence: int, stop: int | None = None) -> None:
        self._disk = disk
        self._salts = {
            number: salt
            for number, salt in find_segments(disk).items()
            if first_segment <= number and (stop is None or number < stop)
        }
        self.sequence = sequence
        """Of the last record read."""
        self.end = Place(first_segment, 0)
        """Behind the last record read."""
        self.cut_bytes = 0
        """How much of an unfinished write was found behind it, and is not part of the log."""
        self._unproved: deque[tuple[int, Place]] = deque()
        """The latest records, of which none that was read says that they were durable."""
        if self._salts and list(self._salts) != list(range(first_segment, first_segment + len(self._salts))):
            raise StoreUnavailable(f"a segment is missing: {first_segment} to {max(self._salts)} are needed")

    @property
    def salt(self) -> int | None:
        """The salt of the log, None for a new one."""
        return next(iter(self._salts.values()), None)

    def replay(self) -> Iterator[tuple[Place, Record]]:
        """Every record. Raises StoreUnavailable where one that had been durable is damaged (F12)."""
        for number, salt in self._salts.items():
            with closing(self._disk.open(segment_name(number, salt))) as file:
                began = self.sequence
                for record in records(file.read, 0, self.sequence + 1, salt):
                    self.sequence = record.sequence
                    self._unproved.append((record.sequence, Place(number, record.offset)))
                    while self._unproved[0][0] <= record.durable:
                        self._unproved.popleft()
                    yield Place(number, record.offset), record
                    self.end = Place(number, record.end)
                if began == self.sequence and number > self.end.segment:
                    break  # nothing in it continues the log
        self._check_end()

    def _check_end(self) -> None:
        """Raise StoreUnavailable when anything behind the end says that more had been durable."""
        for number, salt in self._salts.items():
            if number < self.end.segment:
                continue
            name = segment_name(number, salt)
            with closing(self._disk.open(name)) as file:
                start = self.end.offset if number == self.end.segment else 0
                end = end_of_data(file.read, start, file.size())
                self.cut_bytes += end - start
                for record in stray_records(file.read, start, end, salt):
                    if record.durable > self.sequence:
                        raise StoreUnavailable(
                            f"the log is damaged: record {self.sequence + 1} had been durable and cannot be read at "
                            f"byte {self.end.offset} of {segment_name(self.end.segment, salt)}"
                        )

    def record_after(self, segment: int) -> Record | None:
        """The first record of the segment at which the pass stopped; None when there is none that is whole."""
        salt = find_segments(self._disk).get(segment)
        if salt is None:
            return None
        with closing(self._disk.open(segment_name(segment, salt))) as file:
            return read_record(file.read, 0, salt)

    def cut(self) -> None:
        """Drop what is behind the end, and make durable what is before it: it may never have been synced (F12).

        The room that was allocated stays: on a full disk it is what the acks of what is stored need (F16).
        """
        for number, salt in self._salts.items():
            name = segment_name(number, salt)
            if number > self.end.segment:
                self._disk.remove(name)
                continue
            with closing(self._disk.open(name)) as file:
                end = file.size()
                if number == self.end.segment:
                    garbage = end_of_data(file.read, self.end.offset, end) - self.end.offset
                    file.write(self.end.offset, bytes(garbage))
                    end = self.end.offset
                self._write_again(number, file, end)
                file.sync()
        self._disk.sync()

    def _write_again(self, number: int, file: File, end: int) -> None:
        """Write what may have been read from the system's memory alone.

        After a sync that failed the system takes for written what is not, and the next sync does nothing for it (F15).
        """
        first = self._unproved[0][1] if self._unproved else self.end
        if number >= first.segment:
            start = first.offset if number == first.segment else 0
            file.write(start, file.read(start, end - start))

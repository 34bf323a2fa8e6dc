"""One record of the log in bytes, and the search for records among bytes that may be anything.

    magic 4 | CRC-32 of all that follows 4 | size of the payload 4 | behind 4 | sequence 8 | payload

`sequence` numbers the records from 1. `behind` says how many of the records before this one were not yet known to be
durable when it was written. So when a record is damaged, a later one tells whether it had been durable once: damage, to
be reported; or was still on its way when the power failed, and nobody was told of it (F12).

The CRC begins from the log's salt, so that a message whose body holds records of a log is never taken for some.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

MAGIC = b"\xd7XDK"
HEADER = struct.Struct("<4sIIIQ")
_CHECKED = struct.Struct("<IIQ")
RECORD_BYTES_MAX = 64 * 1024 * 1024
"""Longest payload. The largest batch of messages that the broker lets through is half as long."""
READ_BYTES = 1024 * 1024
"""How much is read at once."""

Read = Callable[[int, int], bytes]
"""Bytes at an offset of a file, up to so many; fewer at its end."""


class Record(NamedTuple):
    """A record that was found whole."""

    offset: int
    sequence: int
    durable: int
    """Sequence up to which records were durable when this one was written."""
    payload: bytes

    @property
    def end(self) -> int:
        return self.offset + HEADER.size + len(self.payload)


def frame(payload: bytes, sequence: int, behind: int, salt: int) -> bytes:
    """The record of a payload. Raises ValueError for one that could not be read back."""
    if len(payload) > RECORD_BYTES_MAX:
        raise ValueError(f"a record of {len(payload)} bytes is longer than {RECORD_BYTES_MAX}")
    checked = _CHECKED.pack(len(payload), behind, sequence)
    return MAGIC + zlib.crc32(payload, zlib.crc32(checked, salt)).to_bytes(4, "little") + checked + payload


def read_record(read: Read, offset: int, salt: int) -> Record | None:
    """The record at an offset, None when there is no whole one."""
    header = read(offset, HEADER.size)
    if len(header) < HEADER.size or not header.startswith(MAGIC):
        return None
    _, crc, size, behind, sequence = HEADER.unpack(header)
    if size > RECORD_BYTES_MAX:
        return None
    payload = read(offset + HEADER.size, size)
    if len(payload) < size or zlib.crc32(payload, zlib.crc32(header[8:], salt)) != crc:
        return None
    return Record(offset, sequence, sequence - 1 - behind, payload)


def buffered(read: Read) -> Read:
    """`read` with fewer and larger reads underneath. The file must not change meanwhile."""
    start, data = 0, b""

    def read_ahead(offset: int, size: int) -> bytes:
        nonlocal start, data
        if not start <= offset <= offset + size <= start + len(data):
            start, data = offset, read(offset, max(size, READ_BYTES))
        return data[offset - start : offset - start + size]

    return read_ahead


def records(read: Read, offset: int, sequence: int, salt: int) -> Iterator[Record]:
    """The records from `offset` on, the first numbered `sequence`, up to where the numbering or the file breaks off."""
    read = buffered(read)
    while (record := read_record(read, offset, salt)) is not None and record.sequence == sequence:
        yield record
        offset, sequence = record.end, sequence + 1


def stray_records(read: Read, offset: int, size: int, salt: int) -> Iterator[Record]:
    """Every whole record that begins anywhere from `offset` up to `size`."""
    while offset < size:
        data = read(offset, READ_BYTES + len(MAGIC) - 1)
        found = data.find(MAGIC)
        while found >= 0:
            record = read_record(read, offset + found, salt)
            if record is not None:
                yield record
            found = data.find(MAGIC, found + 1)
        offset += READ_BYTES


def end_of_data(read: Read, offset: int, size: int) -> int:
    """Where from `offset` up to `size` the zeros begin that go on to the end."""
    end = offset
    for start in range(offset, size, READ_BYTES):
        data = read(start, min(READ_BYTES, size - start)).rstrip(b"\0")
        if data:
            end = start + len(data)
    return end

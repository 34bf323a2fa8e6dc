"""Snapshots: the engine's state in a file, so that a restart need not read all that ever happened.

A snapshot holds no bodies, only where in the segments they are: those segments are kept. Its number is that of the
first segment whose commands come after it. It is written beside the others and renamed once it is whole and synced.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing

import msgspec
from msgspec import Struct

from crossdock.core.engine.snapshot import Item, Messages
from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Settings
from crossdock.storage.wal.disk import Disk, File
from crossdock.storage.wal.record import frame, records
from crossdock.storage.wal.segment import Place

from .bodies import Bodies, Paged
from .commands import FORMAT

UNFINISHED = ".unfinished"
_NAME = re.compile(r"snapshot-(\d{10})")
_WRITE_BYTES = 1024 * 1024


class Head(Struct, array_like=True):
    """Comes first."""

    format: int
    sequence: int
    """Of the last record that the snapshot holds the outcome of."""
    defaults: Settings


class Tail(Struct, array_like=True):
    """Comes last."""

    segments: list[int]
    """Older segments that hold bodies of stored messages."""


def snapshot_name(number: int) -> str:
    """The file of a snapshot."""
    return f"snapshot-{number:010}"


def find_snapshots(disk: Disk) -> list[int]:
    """Numbers of the snapshots in a folder, in order."""
    return sorted(int(match[1]) for match in filter(None, map(_NAME.fullmatch, disk.names())))


def write_snapshot(disk: Disk, number: int, head: Head, items: Iterable[Item], writer: str) -> list[int]:
    """Write a snapshot and give it its name. Returns the older segments that it needs. Raises OSError.

    `writer` tells apart those who may be writing the same snapshot: the process whose owner has died may not be done.
    """
    segments: set[int] = set()

    def place(body: object) -> tuple[int, int, int, int]:
        if not isinstance(body, Paged):
            raise NotImplementedError(f"a snapshot cannot hold {type(body)}")
        segments.add(body.place.segment)
        return *body.place, body.index, body.size

    encoder = msgspec.msgpack.Encoder(enc_hook=place)

    def payloads() -> Iterator[bytes]:
        yield encoder.encode(head)
        for item in items:
            yield encoder.encode(item)
        yield encoder.encode(Tail(sorted(segments)))

    name = f"{snapshot_name(number)}-{writer}{UNFINISHED}"
    created = disk.create(name)
    try:
        with closing(created) as file:
            _write(file, (frame(payload, sequence, 0, number) for sequence, payload in enumerate(payloads(), 1)))
    except OSError:
        disk.remove(name)  # its room is wanted by others
        raise
    disk.rename(name, snapshot_name(number))
    try:
        disk.sync()
    except OSError:
        disk.remove(snapshot_name(number))  # its name may be gone with the power: nobody must rely on it (F14, F15)
        raise
    return sorted(segments)


def _write(file: File, frames: Iterable[bytes]) -> None:
    offset, part = 0, bytearray()
    for each in frames:
        part += each
        if len(part) >= _WRITE_BYTES:
            file.write(offset, bytes(part))
            offset, part = offset + len(part), bytearray()
    file.write(offset, bytes(part))
    file.sync()


class Snapshot:
    """A snapshot that is read. `segments` is known once `items` is used up."""

    def __init__(self, disk: Disk, number: int, bodies: Bodies) -> None:
        self.number = number
        self._bodies = bodies
        self._disk = disk
        self._decode = msgspec.msgpack.Decoder(Item).decode
        first = next(self._payloads(), None)
        if first is None:
            raise self._damaged()
        self.head = msgspec.msgpack.decode(first, type=Head)
        if self.head.format != FORMAT:
            raise StoreUnavailable(f"{snapshot_name(number)} is of format {self.head.format}, not {FORMAT}")
        self.segments: list[int] = []

    def _payloads(self) -> Iterator[bytes]:
        with closing(self._disk.open(snapshot_name(self.number))) as file:
            for record in records(file.read, 0, 1, self.number):
                yield record.payload

    def items(self) -> Iterator[Item]:
        """The state. Raises StoreUnavailable when the file is damaged (F40)."""
        payloads = self._payloads()
        next(payloads)
        last: bytes | None = None
        for payload in payloads:
            if last is not None:
                yield self._item(last)
            last = payload
        if last is None:
            raise self._damaged()
        try:
            self.segments = msgspec.msgpack.decode(last, type=Tail).segments
        except msgspec.DecodeError:
            raise self._damaged() from None

    def _item(self, payload: bytes) -> Item:
        item: Item = self._decode(payload)
        if isinstance(item, Messages):
            for message in item.messages:
                if message.body:  # an empty one is in no segment
                    segment, offset, index, size = message.body
                    message.body = self._bodies.paged(Place(segment, offset), index, size)
        return item

    def _damaged(self) -> StoreUnavailable:
        return StoreUnavailable(f"{snapshot_name(self.number)} is damaged")

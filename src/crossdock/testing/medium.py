"""The content of a file on a disk that can lose power: what is seen of it, and what is durable."""

from collections.abc import Callable
from typing import Literal, NamedTuple

SECTOR_BYTES = 512
"""A write is made of these: each reaches the disk, or not, or in part, whatever becomes of the others."""

Chance = Callable[[], float]
"""Random numbers in [0, 1), such as `random.Random(7).random`."""


class Change(NamedTuple):
    """One thing done to a file: data written at `offset`, or its size made `offset` by growth or by a cut."""

    kind: Literal["write", "grow", "cut"]
    offset: int
    data: bytes = b""

    def apply(self, content: bytearray) -> None:
        """Do it."""
        if self.kind == "write":
            write(content, self.offset, self.data)
        elif self.kind == "grow":
            grow(content, self.offset)
        else:
            del content[self.offset :]

    def part(self, share: float) -> "Change":
        """What is done of it when it breaks off after that share."""
        if self.kind == "write":
            return self._replace(data=self.data[: int(share * (len(self.data) + 1))])
        return Change("grow", int(share * self.offset) if self.kind == "grow" else 0)

    def apply_in_part(self, content: bytearray, chance: Chance) -> None:
        """Do what a power failure leaves of it: all, nothing, or of a write some sectors and parts of sectors."""
        luck = chance()
        if luck < 0.25:
            self.apply(content)
        elif luck < 0.75 and self.kind == "write":
            write_torn(content, self.offset, self.data, chance)


class Medium:
    """One file. Changes are seen at once and durable after `sync`."""

    def __init__(self, content: bytes | bytearray = b"") -> None:
        self.seen = bytearray(content)
        self._durable = bytearray(content)
        self._pending: list[Change] = []

    def do(self, change: Change) -> None:
        """Change the file."""
        change.apply(self.seen)
        self._pending.append(change)

    def sync(self) -> None:
        """Make all changes durable."""
        for change in self._pending:
            change.apply(self._durable)
        self._pending = []

    def fail_to_sync(self, chance: Chance) -> None:
        """A sync fails as systems fail: what could not be written counts as written from now on (F15)."""
        self._durable = self.after_loss(chance)
        self._pending = []

    def after_loss(self, chance: Chance) -> bytearray:
        """What the disk holds once the power has failed: changes that were not synced in any order, whole or not."""
        pending = self._pending
        if chance() < 0.5:
            pending = sorted(pending, key=lambda change: chance())
        content = bytearray(self._durable)
        for change in pending:
            change.apply_in_part(content, chance)
        return content


def write(content: bytearray, offset: int, data: bytes) -> None:
    """Write data, which may make the content longer."""
    grow(content, offset)
    content[offset : offset + len(data)] = data


def grow(content: bytearray, size: int) -> None:
    """Make the content at least that long, new bytes being zero."""
    if len(content) < size:
        content.extend(bytes(size - len(content)))


def write_torn(content: bytearray, offset: int, data: bytes, chance: Chance) -> None:
    """Write of each sector all, nothing, or the beginning."""
    end = offset + len(data)
    start = offset
    while start < end:
        stop = min(start - start % SECTOR_BYTES + SECTOR_BYTES, end)
        luck = chance()
        part = stop - start if luck < 0.3 else int(chance() * (stop - start)) if luck < 0.7 else 0
        if part:
            write(content, start, data[start - offset : start - offset + part])
        start = stop

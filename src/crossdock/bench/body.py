"""Bodies that tell who sent them, as which one, and when that was due. Plain text, so that every door carries them."""

from collections.abc import Iterable

SIZE_MIN = 8 + 8 + 16
NUMBERS_MAX = 2**32

Mark = tuple[int, int, int]
"""(sender, number among its messages, ns at which it was due)."""


def body_of(sender: int, number: int, due: int, size: int) -> bytes:
    """A body of `size` bytes."""
    return (b"%08x%08x%016x" % (sender, number, due)).ljust(size, b".")


def mark_of(body: bytes) -> Mark:
    """What a body says."""
    return int(body[:8], 16), int(body[8:16], 16), int(body[16:SIZE_MIN], 16)


def bodies_of(sender: int, numbers: Iterable[int], due: int, size: int) -> list[bytes]:
    """Bodies of one send."""
    return [body_of(sender, number, due, size) for number in numbers]

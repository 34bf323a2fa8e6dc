"""What the door's paths have in common: a session is one connection's business on one path."""

from collections.abc import Sequence
from typing import Protocol

from .counters import PathCounters
from .messages import Message


class Peer(Protocol):
    """The client, as a session sees it. Once it is gone, what is sent is dropped."""

    counters: PathCounters
    address: str
    """The client's address without its port."""

    @property
    def gone(self) -> bool: ...

    def send(self, frame: bytes) -> None:
        """Send a frame as `frames` makes it."""
        ...

    async def drained(self) -> None:
        """Return when the client has read enough for more to be sent, or is gone."""
        ...

    def resume(self) -> None:
        """Something was answered: there may be room for the next message."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close frame."""
        ...


class Session(Protocol):
    """One connection's business."""

    bytes_max: int
    """Bytes of a message from the client."""
    turn_max: int
    """Messages that it takes at once."""

    @property
    def busy(self) -> bool:
        """Whether no message more should be handed over until something is answered."""
        ...

    @property
    def idle(self) -> bool:
        """Whether every message was answered."""
        ...

    def received(self, turn: list[Message]) -> None:
        """Messages of the client, up to `turn_max`."""
        ...

    async def close(self, rest: Sequence[Message]) -> None:
        """The connection is gone, or as good as: return its leases, end what only it could use.

        `rest` came before that, and the session had no time for it.
        """
        ...

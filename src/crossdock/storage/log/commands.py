"""What the log keeps: the engine's commands with their arguments. Done again in order they make the same state.

A command is kept only if it changed something, with receipts that were good. `before` is a number of the engine at that
point; one that differs when the log is read means that engine and log do not belong together.
"""

from collections.abc import Container, Sequence

import msgspec
from msgspec import Struct

from crossdock.core.errors import InvalidArgument
from crossdock.core.model import Headers, Message, Receipt, Settings

FORMAT = 1
"""Of records and snapshots. Raise it with every change of them, and of what the engine makes of a command."""

Fields = tuple[bytes, Headers | None, int, int, int, str | None, str | None, int]
"""What a sender says of a message, in the order of `core.model.Message`."""


class Opened(Struct, array_like=True, tag=0):
    """The store was opened."""

    now: int
    format: int
    generation: int
    defaults: Settings


class Send(Struct, array_like=True, tag=1, gc=False):
    """Messages of which nothing but the body was said."""

    now: int
    before: int
    """The highest id."""
    namespace: str
    queue: str
    bodies: list[bytes]


class SendAll(Struct, array_like=True, tag=2, gc=False):
    """Messages with options."""

    now: int
    before: int
    namespace: str
    queue: str
    messages: list[Fields]


class Receive(Struct, array_like=True, tag=3, gc=False):
    now: int
    before: int
    """The highest epoch."""
    namespace: str
    queue: str
    group: str
    limit: int
    lease: int
    consumer: str
    auto_ack: bool
    default_lease: int


class Ack(Struct, array_like=True, tag=4, gc=False):
    now: int
    namespace: str
    queue: str
    group: str
    receipts: list[tuple[int, int]]
    """(id, epoch)."""


class Nack(Struct, array_like=True, tag=5, gc=False):
    now: int
    namespace: str
    queue: str
    group: str
    receipts: list[tuple[int, int]]
    jitter: float
    delay: int | None
    error: str


class Reject(Struct, array_like=True, tag=6, gc=False):
    now: int
    namespace: str
    queue: str
    group: str
    receipts: list[tuple[int, int]]
    error: str


class Extend(Struct, array_like=True, tag=7, gc=False):
    now: int
    namespace: str
    queue: str
    group: str
    receipts: list[tuple[int, int]]
    lease: int


class Tick(Struct, array_like=True, tag=8, gc=False):
    """What was due was done."""

    now: int


class CreateQueue(Struct, array_like=True, tag=9):
    now: int
    namespace: str
    queue: str
    settings: Settings


class UpdateQueue(Struct, array_like=True, tag=10):
    now: int
    namespace: str
    queue: str
    settings: Settings


class DeleteQueue(Struct, array_like=True, tag=11):
    now: int
    namespace: str
    queue: str


class CreateGroup(Struct, array_like=True, tag=12):
    now: int
    namespace: str
    queue: str
    group: str


class DeleteGroup(Struct, array_like=True, tag=13):
    now: int
    namespace: str
    queue: str
    group: str


class DeleteMessages(Struct, array_like=True, tag=14):
    now: int
    namespace: str
    queue: str
    ids: list[int] | None


class Redrive(Struct, array_like=True, tag=15):
    now: int
    namespace: str
    queue: str
    ids: list[int] | None


Answer = Ack | Nack | Reject | Extend
Command = (
    Opened
    | Send
    | SendAll
    | Receive
    | Answer
    | Tick
    | CreateQueue
    | UpdateQueue
    | DeleteQueue
    | CreateGroup
    | DeleteGroup
    | DeleteMessages
    | Redrive
)

_encode = msgspec.msgpack.Encoder().encode


def encode(command: Command) -> bytes:
    """A command in bytes. Raises InvalidArgument for text or numbers that cannot be kept."""
    try:
        return _encode(command)
    except (UnicodeEncodeError, OverflowError, TypeError) as error:
        raise InvalidArgument("arguments", str(error), "must be what a store can keep") from error


decode = msgspec.msgpack.Decoder(Command).decode
"""Raises msgspec.DecodeError."""


def fields_of(message: Message) -> Fields:
    """A message as its sender made it, before the engine takes it over."""
    return (
        message.body,
        message.headers,
        message.priority,
        message.delay,
        message.ttl,
        message.dedup_id,
        message.ordering_key,
        message.deliver_at,
    )


def pairs(receipts: Sequence[Receipt], failed: Container[int] = ()) -> list[tuple[int, int]]:
    """(id, epoch) of the receipts but for those at the failed indexes."""
    return [(receipt.id, receipt.epoch) for index, receipt in enumerate(receipts) if index not in failed]

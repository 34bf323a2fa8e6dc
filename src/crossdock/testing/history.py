"""What callers of queues saw, written down outside the process under test, and what that proves after its deaths.

A call leaves an `Invoke` before it begins and an `Ok`, `Fail` or `Unknown` when it ends, each one line of JSON. A call
without an end is unknown too: its process died. When the deaths are over, the queues are drained, and `verdict.check`
compares what was promised with what was there. The order of the lines does not matter, as the fence of a delivery tells
which hand-out came first: histories of several processes are checked as one.

What a history must keep to: queues are of kind `queue`, with their groups made before the first send; a dead-letter
queue has one group, which rejects nothing. A message is named by the header `name`, and what is sent again under a
name has a dedup id. Messages with an ordering key have one priority and no delay, and only one process at a time sends
under a key. No ttl, no bounds, no auto_ack, no purge, no redrive.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

from crossdock.client.aio import Delivery
from crossdock.core.errors import InvalidArgument, LeaseLost, MessageExpired, QueueFull, QueueNotFound
from crossdock.core.model import ORIGIN_GROUP, ORIGIN_ID, ORIGIN_QUEUE

NAME_HEADER = "name"
Verb = Literal["send", "receive", "ack", "nack", "reject", "extend"]
Place = tuple[str, str]
"""Queue and group."""

_REFUSALS = (InvalidArgument, LeaseLost, MessageExpired, QueueFull, QueueNotFound)
"""Errors that say that nothing was done. After any other the outcome is unknown."""


class Sent(Struct, frozen=True):
    """A message as its sender knows it."""

    name: str
    digest: str


class Delivered(Struct, frozen=True, omit_defaults=True):
    """A delivery as its consumer saw it."""

    queue: str
    group: str
    name: str
    digest: str
    id: int
    """Of a dead letter the id that the message had where it came from."""
    attempt: int
    fence: int
    ordering_key: str | None = None
    origin_queue: str = ""
    origin_group: str = ""

    @property
    def place(self) -> Place:
        """Where it was handed out."""
        return self.queue, self.group

    @property
    def stream(self) -> Place:
        """For whom the message was sent: for a dead letter the group that failed it."""
        return (self.origin_queue, self.origin_group) if self.origin_queue else self.place

    def __str__(self) -> str:
        return f"{self.name} in {'/'.join(self.place)}, attempt {self.attempt}, fence {self.fence}"


class Invoke(Struct, tag="invoke", tag_field="event", omit_defaults=True):
    """A call begins. `sent` belongs to a send, `delivered` is what an ack, nack, reject or extend answers."""

    call: str
    verb: Verb
    queue: str
    group: str = ""
    sent: list[Sent] = []
    delivered: Delivered | None = None


class Ok(Struct, tag="ok", tag_field="event", omit_defaults=True):
    """A call succeeded. `ids` are those that a send got, `delivered` is what a receive got."""

    call: str
    ids: list[int] = []
    delivered: list[Delivered] = []


class Fail(Struct, tag="fail", tag_field="event"):
    """A call was refused: nothing was done."""

    call: str
    error: str


class Unknown(Struct, tag="unknown", tag_field="event"):
    """A call broke off: it was done or not."""

    call: str
    error: str


Event = Invoke | Ok | Fail | Unknown
_decoder = msgspec.json.Decoder(Event)


def digest(body: bytes) -> str:
    """What tells one body from every other."""
    return sha256(body).hexdigest()[:32]


def seen(delivery: Delivery) -> Delivered:
    """A delivery as a history keeps it."""
    headers = delivery.headers
    return Delivered(
        delivery.queue.name,
        delivery.queue.group_name,
        headers.get(NAME_HEADER, ""),
        digest(delivery.body),
        int(headers.get(ORIGIN_ID, delivery.id)),
        delivery.attempt,
        delivery.fence,
        delivery.ordering_key,
        headers.get(ORIGIN_QUEUE, ""),
        headers.get(ORIGIN_GROUP, ""),
    )


def read(lines: Iterable[bytes]) -> list[Event]:
    """The events of a history. The last line may be torn, as its process died; it is left out."""
    return [_decoder.decode(line) for line in lines if line.endswith(b"\n")]


class History:
    """Writes calls down. `write` takes one line at a time and has it outside the process when it returns."""

    def __init__(self, write: Callable[[bytes], object], process: str) -> None:
        """`process` is a name that no other writer of the same history has."""
        self._write = write
        self._process = process
        self._calls = 0

    @contextmanager
    def call(
        self, verb: Verb, queue: str, group: str = "", sent: Iterable[Sent] = (), delivered: Delivered | None = None
    ) -> Iterator[Ok]:
        """Write down the call that the block makes; it fills in the `Ok` that it gets. Errors pass through."""
        self._calls += 1
        outcome = Ok(f"{self._process}:{self._calls}")
        self._tell(Invoke(outcome.call, verb, queue, group, list(sent), delivered))
        try:
            yield outcome
        except BaseException as error:
            end = Fail if isinstance(error, _REFUSALS) else Unknown
            self._tell(end(outcome.call, repr(error)))
            raise
        self._tell(outcome)

    def _tell(self, event: Event) -> None:
        self._write(msgspec.json.encode(event) + b"\n")

"""The nouns of crossdock as plain data.

Times are integers: milliseconds since the epoch for points in time (0 means "none"), milliseconds for durations.
The classes are msgspec structs without cycle-collector tracking: they are made by the million and never form cycles.
"""

from collections.abc import Generator
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")

Address = tuple[str, str]
"""(namespace, queue name)."""

Headers = dict[str, str]
State = Literal["delayed", "ready", "leased"]
Kind = Literal["queue", "topic"]
Overflow = Literal["reject", "drop-oldest"]
Reason = Literal["attempts", "rejected", "expired"]

DEFAULT_NAMESPACE = "default"
DEFAULT_GROUP = "default"

# Headers that a dead letter carries. `redrive` removes them again.
ORIGIN_QUEUE = "x-origin-queue"
ORIGIN_GROUP = "x-origin-group"
ORIGIN_ID = "x-origin-id"
REASON = "x-reason"
ERROR = "x-error"
ATTEMPTS = "x-attempts"
DEAD_LETTER_HEADERS = frozenset({ORIGIN_QUEUE, ORIGIN_GROUP, ORIGIN_ID, REASON, ERROR, ATTEMPTS})


class Message(Struct, gc=False):
    """A message. A sender fills in the first part, the store that accepts it the second.

    A sender gives either `delay` (relative) or `deliver_at` (absolute); `ttl` counts from acceptance.
    """

    body: bytes
    headers: Headers | None = None
    priority: int = 0
    delay: int = 0
    ttl: int = 0
    dedup_id: str | None = None
    ordering_key: str | None = None
    deliver_at: int = 0

    expires_at: int = 0
    id: int = 0
    enqueued_at: int = 0
    pending: int = 0
    """Engine only: bit mask of the groups that are not done with the message."""

    def expired(self, now: int) -> bool:
        """Whether the time to live is over. Such a message is stored only while a lease holds on to it."""
        return 0 < self.expires_at <= now


class Plain(Message, gc=False):
    """A message of which its sender says nothing but the body. The class tells so at one look, the fields at seven."""


class Receipt(Struct, gc=False):
    """The opaque token of one delivery, as a value. `core.ids` writes and reads its text form.

    `epoch` is raised by every hand-out of a store and never repeats; `generation` names the store's life.
    """

    id: int
    epoch: int
    generation: int


class Delivery(Receipt, gc=False):
    """One hand-out of a message to a consumer of a group. It serves as its own receipt. Never changed once made."""

    message: Message
    attempt: int
    lease_until: int
    consumer: str = ""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of a queue. None means: the default of the server, or of the door where doors differ."""

    kind: Kind = "queue"
    lease: int | None = None
    """Lease length of a delivery, ms."""
    max_attempts: int | None = None
    """Hand-outs before a message is dead-lettered. 0: no limit."""
    backoff: int | None = None
    """Delay after the first nack, ms; doubles with each attempt."""
    ttl: int | None = None
    """Time to live of messages that bring none, ms. 0: for ever."""
    dead_letter: str | None = None
    """Name of the dead-letter queue. None: `<queue>.dlq`; "": off, a message that used its attempts is dropped."""
    dead_letter_expired: bool = False
    """Whether expired messages are dead-lettered rather than dropped."""
    dedup_window: int | None = None
    """How long a deduplication id is remembered, ms."""
    max_messages: int | None = None
    max_bytes: int | None = None
    """Depth bounds: stored messages, and the sum of their bodies."""
    overflow: Overflow = "reject"
    paused: bool = False
    """A paused queue accepts messages and hands none out."""


DURATION_SETTINGS = ("lease", "backoff", "ttl", "dedup_window")
"""The settings that are durations, ms; people write them as `core.durations` reads them."""


class SendResult(Struct, gc=False):
    """What became of a batch: an id for each message, in order.

    `duplicates` holds the indexes whose dedup id was seen before; their id is that of the first message.
    """

    ids: list[int]
    duplicates: list[int]


class Peeked(Struct, gc=False):
    """A stored message and where it stands in a group. Looking at it changes nothing."""

    message: Message
    state: State
    attempts: int
    due: int
    """When the state ends: deliver_at of a delayed message, lease_until of a leased one, else 0."""
    consumer: str = ""
    error: str = ""


class Totals(Struct):
    """Counts since the queue was created. They never fall."""

    sent: int = 0
    delivered: int = 0
    acked: int = 0
    nacked: int = 0
    returned: int = 0
    """Leases that ended without an answer."""
    dead: int = 0
    expired: int = 0
    dropped: int = 0
    purged: int = 0
    redriven: int = 0
    duplicates: int = 0


class GroupStats(Struct):
    """Messages a group is not done with, by state."""

    ready: int = 0
    delayed: int = 0
    leased: int = 0


class QueueStats(Struct):
    """A queue as it stands. `ready`, `delayed`, `leased` sum over the groups; without any they count the messages."""

    name: str
    settings: Settings
    stored: int
    bytes: int
    ready: int
    delayed: int
    leased: int
    dead: int
    """Messages in the queue's dead-letter queue."""
    oldest: int
    """enqueued_at of the oldest stored message, 0 when empty."""
    groups: dict[str, GroupStats]
    totals: Totals


class Tick(Struct):
    """Where something became ready since the last tick by anything but a send, and when to tick next (0: never).

    `ready` names each queue once: a delay, retry or lease ended, an ordering key was let go, a dead letter arrived or
    was redriven, a queue was resumed. For a shared store it tells of this process's verbs only.
    """

    ready: list[Address]
    next_due: int


class Done(Struct, Generic[T], gc=False):
    """An awaitable whose result is there already: what verbs that never wait return, much cheaper than a coroutine."""

    result: T

    def __await__(self) -> Generator[Any, None, T]:
        return self.result
        yield  # never reached: it makes this a generator, as `await` wants

"""Decisions about messages, as pure functions of plain data. Engine and SQL stores both ask here."""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

from .errors import InvalidArgument, MessageExpired, QueueFull
from .limits import (
    BACKOFF_MS_MAX,
    DEFAULT_BACKOFF_MS,
    DEFAULT_DEDUP_WINDOW_MS,
    DEFAULT_MAX_ATTEMPTS,
    GROUPS_MAX,
    QUEUES_MAX,
    check_name,
)
from .model import (
    ATTEMPTS,
    DEAD_LETTER_HEADERS,
    ERROR,
    ORIGIN_GROUP,
    ORIGIN_ID,
    ORIGIN_QUEUE,
    REASON,
    Headers,
    Message,
    Reason,
    Settings,
)

DEAD_LETTER_SUFFIX = ".dlq"
_ID = re.compile(r"[1-9][0-9]{0,17}")
REFUSED_DELAY_MS = 30_000
"""How long a message waits when its dead-letter queue refused it."""

DEFAULTS = Settings(
    max_attempts=DEFAULT_MAX_ATTEMPTS,
    backoff=DEFAULT_BACKOFF_MS,
    ttl=0,
    dedup_window=DEFAULT_DEDUP_WINDOW_MS,
)


class Rules:
    """The settings of one queue with every default filled in."""

    __slots__ = (
        "backoff",
        "dead_letter",
        "dead_letter_expired",
        "dedup_window",
        "drop_oldest",
        "lease",
        "max_attempts",
        "max_bytes",
        "max_messages",
        "paused",
        "topic",
        "ttl",
    )

    def __init__(self, name: str, settings: Settings, defaults: Settings = DEFAULTS) -> None:
        last_resort = name.endswith(DEAD_LETTER_SUFFIX)
        max_attempts = settings.max_attempts
        if max_attempts is None:
            max_attempts = 0 if last_resort else defaults.max_attempts
        self.max_attempts: int = max_attempts or 0
        self.backoff: int = _first(settings.backoff, defaults.backoff, DEFAULT_BACKOFF_MS)
        self.ttl: int = _first(settings.ttl, defaults.ttl, 0)
        self.dedup_window: int = _first(settings.dedup_window, defaults.dedup_window, DEFAULT_DEDUP_WINDOW_MS)
        self.dead_letter: str = dead_letter_name(name, settings)
        self.dead_letter_expired: bool = settings.dead_letter_expired and self.dead_letter != ""
        self.max_messages = defaults.max_messages if settings.max_messages is None else settings.max_messages
        self.max_bytes = defaults.max_bytes if settings.max_bytes is None else settings.max_bytes
        self.drop_oldest: bool = settings.overflow == "drop-oldest"
        self.lease: int = settings.lease or defaults.lease or 0
        self.paused: bool = settings.paused
        self.topic: bool = settings.kind == "topic"

    def used_up(self, attempts: int) -> bool:
        """Whether a message that was handed out `attempts` times has no attempt left."""
        return 0 < self.max_attempts <= attempts

    @property
    def bounded(self) -> bool:
        """Whether the queue has a bound of messages or of bytes."""
        return self.max_messages is not None or self.max_bytes is not None

    def excess(self, messages: int, size: int) -> tuple[int, int]:
        """By how many messages, and bytes, a queue that stored so much would be over its bounds; 0 or less: it fits."""
        over = 0 if self.max_messages is None else messages - self.max_messages
        over_bytes = 0 if self.max_bytes is None else size - self.max_bytes
        return over, over_bytes

    def full(self, name: str) -> QueueFull:
        """The error of a queue of that name whose bounds are reached."""
        bounds = [f"{self.max_messages} messages"] if self.max_messages is not None else []
        bounds += [f"{self.max_bytes} bytes"] if self.max_bytes is not None else []
        return QueueFull(f"queue {name!r} is full: its bound is {' and '.join(bounds)}")


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def too_many_queues() -> QueueFull:
    """The error of a store that can have no more queues."""
    return QueueFull(f"the store has {QUEUES_MAX} queues already")


def too_many_groups(name: str) -> QueueFull:
    """The error of a queue of that name that can have no more groups."""
    return QueueFull(f"queue {name!r} has {GROUPS_MAX} groups already")


def check_queue(name: object) -> str:
    """Return `name` when it may name a queue, a derived dead-letter queue too; raise InvalidArgument otherwise."""
    if not isinstance(name, str):
        return check_name("queue", name)
    check_name("queue", name.removesuffix(DEAD_LETTER_SUFFIX))  # It may be longer than others by its suffix.
    return name


def dead_letter_name(name: str, settings: Settings) -> str:
    """Name of the dead-letter queue of queue `name`; "" when it has none."""
    if settings.dead_letter is not None:
        return settings.dead_letter
    return "" if name.endswith(DEAD_LETTER_SUFFIX) else name + DEAD_LETTER_SUFFIX


def check_cycle(name: str, settings: Settings, settings_of: Callable[[str], Settings | None]) -> None:
    """Raise InvalidArgument when dead letters of queue `name` could come back to a queue already passed.

    `settings_of` tells the settings of a queue of the namespace, None when there is none.
    """
    seen = {name}
    current = dead_letter_name(name, settings)
    while current:
        if current in seen:
            raise InvalidArgument("dead_letter", settings.dead_letter, f"must not lead back to queue {current!r}")
        seen.add(current)
        current = dead_letter_name(current, settings_of(current) or Settings())


def check_same_kind(old: Settings, new: Settings) -> None:
    """Raise InvalidArgument when the two settings differ in kind, which never changes."""
    if old.kind != new.kind:
        raise InvalidArgument("kind", new.kind, f"must stay {old.kind!r}")


def retry_delay(backoff: int, attempt: int, jitter: float) -> int:
    """Milliseconds until the next hand-out after a nack of hand-out number `attempt`.

    `backoff * 2^(attempt-1)`, capped at BACKOFF_MS_MAX, plus up to a tenth of it; `jitter` is in [0, 1).
    """
    delay = min(backoff << min(attempt - 1, 40), BACKOFF_MS_MAX)
    return delay + int(delay * 0.1 * jitter)


def accept(message: Message, rules: Rules, now: int) -> None:
    """Fill in the times of a message accepted at `now`. Raises MessageExpired when it could never be delivered."""
    message.enqueued_at = now
    if message.delay:
        message.deliver_at = now + message.delay
    elif message.deliver_at < now:
        message.deliver_at = now
    ttl = message.ttl or rules.ttl
    message.expires_at = now + ttl if ttl else 0
    if ttl and message.expires_at <= message.deliver_at:
        raise MessageExpired(f"ttl of {ttl} ms ends before the message is due")


def body_digest(body: bytes) -> bytes:
    """What is kept of a body to tell a duplicate from a conflict: 8 bytes."""
    return blake2b(body, digest_size=8).digest()


def dead_letter_headers(
    headers: Headers | None, queue: str, group: str, reason: Reason, error: str, attempts: int, origin_id: int = 0
) -> Headers:
    """Headers of a dead letter; `origin_id` only when it could not keep its id."""
    marked = strip_dead_letter_headers(headers) or {}
    marked[ORIGIN_QUEUE] = queue
    marked[ORIGIN_GROUP] = group
    marked[REASON] = reason
    marked[ATTEMPTS] = str(attempts)
    if error:
        marked[ERROR] = error
    if origin_id:
        marked[ORIGIN_ID] = str(origin_id)
    return marked


def strip_dead_letter_headers(headers: Headers | None) -> Headers | None:
    """A copy without the headers that dead-lettering added; None when nothing is left."""
    if not headers:
        return None
    return {name: value for name, value in headers.items() if name not in DEAD_LETTER_HEADERS} or None


class Origin(NamedTuple):
    """Where a dead letter came from, and its id there."""

    queue: str
    group: str
    id: int


def origin_of(letter: Message) -> Origin | None:
    """The origin of a dead letter; None for a message whose headers do not name it. Anybody may have written those."""
    headers = letter.headers or {}
    number = headers.get(ORIGIN_ID, str(letter.id))
    if ORIGIN_QUEUE not in headers or ATTEMPTS not in headers or _ID.fullmatch(number) is None:
        return None
    return Origin(headers[ORIGIN_QUEUE], headers.get(ORIGIN_GROUP, ""), int(number))

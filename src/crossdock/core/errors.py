"""Every error crossdock raises: one tree, a stable `code` each.

    CrossdockError
    ├── InvalidArgument        the caller's value breaks a rule
    │   └── DedupConflict      one deduplication id, two different bodies
    ├── QueueNotFound
    ├── QueueFull              depth or byte bound reached
    ├── QueueClosed            the broker is shutting down, or the queue was closed
    ├── MessageExpired         the message's time to live ends before it could be delivered
    ├── LeaseLost              the receipt is no longer the current one
    │   └── MessageNotFound    nothing is stored under that id (any more)
    ├── AccessDenied
    ├── RateLimited
    └── StoreUnavailable       the store cannot answer: disk full, locked, corrupt, gone
        └── StoreFailed        and will not before it is opened again

Doors map `code` to their protocol's vocabulary, in one table each.
"""

from collections.abc import Mapping
from typing import ClassVar


class CrossdockError(Exception):
    """Base of every error crossdock raises."""

    code: ClassVar[str] = "error"


class InvalidArgument(CrossdockError):
    """A value breaks a rule. The text names the field and the value."""

    code = "invalid_argument"

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(field, value, rule)
        self.field = field
        self.value = value
        self.rule = rule

    def __str__(self) -> str:
        shown = repr(self.value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        return f"{self.field} {self.rule}, got {shown}"


class DedupConflict(InvalidArgument):
    """The deduplication id was used for another body inside its window."""

    code = "dedup_conflict"

    def __init__(self, dedup_id: str) -> None:
        InvalidArgument.__init__(self, "dedup_id", dedup_id, "was used for a message with another body")

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return DedupConflict, (self.value,)


class QueueNotFound(CrossdockError):
    """There is no queue of that name in the namespace (or none the caller may see)."""

    code = "queue_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"queue {self.name!r} does not exist"


class QueueFull(CrossdockError):
    """The queue's depth or byte bound is reached and its overflow rule is `reject`."""

    code = "queue_full"


class QueueClosed(CrossdockError):
    """The broker is shutting down, or the connection or queue object was closed."""

    code = "queue_closed"


class MessageExpired(CrossdockError):
    """The message's time to live ends before it could be delivered."""

    code = "message_expired"


class LeaseLost(CrossdockError):
    """The receipt is stale: the lease ended, or the message was redelivered, settled or purged."""

    code = "lease_lost"

    def __init__(self, message_id: int) -> None:
        super().__init__(message_id)
        self.message_id = message_id

    def __str__(self) -> str:
        return f"the lease of message {self.message_id} is no longer held"


class MessageNotFound(LeaseLost):
    """No message of that id is stored in the queue."""

    code = "message_not_found"

    def __str__(self) -> str:
        return f"message {self.message_id} does not exist"


class AccessDenied(CrossdockError):
    """The caller is not known, or lacks the permission in this namespace."""

    code = "access_denied"


class RateLimited(CrossdockError):
    """Too many requests. `retry_after` is in seconds."""

    code = "rate_limited"

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"too many requests, try again in {self.retry_after:.3g} s"


class StoreUnavailable(CrossdockError):
    """The store cannot answer now. Nothing of the failed call was kept unless the text says `unknown`."""

    code = "store_unavailable"


class StoreFailed(StoreUnavailable):
    """The disk failed while something was written. What it holds is known only once the store is opened again (F15)."""

    code = "store_failed"


Failures = Mapping[int, CrossdockError]
"""For a batch of receipts: index -> LeaseLost or MessageNotFound. The others succeeded."""

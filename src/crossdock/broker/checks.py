"""Arguments of the broker's verbs against `core.limits`, before anything is stored."""

from collections.abc import Sequence

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import (
    ATTEMPTS_MAX,
    BACKOFF_MS_MAX,
    BATCH_BYTES_MAX,
    BATCH_MESSAGES_MAX,
    BODY_BYTES_MAX,
    DEDUP_WINDOW_MS_MAX,
    DELAY_MS_MAX,
    ERROR_CHARS_MAX,
    HEADER_NAME_CHARS_MAX,
    HEADERS_BYTES_MAX,
    HEADERS_MAX,
    ID_MAX,
    LEASE_MS_MAX,
    LEASE_MS_MIN,
    PRIORITY_MAX,
    PRIORITY_MIN,
    TIME_MS_MAX,
    TTL_MS_MAX,
    WAIT_MS_MAX,
    check_key,
    check_name,
    check_range,
)
from crossdock.core.model import DEFAULT_GROUP, Headers, Message, Plain, Settings

COUNT_MAX = 2**53


def check_messages(messages: Sequence[Message], body_max: int = BODY_BYTES_MAX) -> None:
    """Check a batch to send, whose bodies may have up to `body_max` bytes each."""
    if not 0 < len(messages) <= BATCH_MESSAGES_MAX:
        check_batch("messages", len(messages))
    size = 0
    for message in messages:
        body = message.body
        if body.__class__ is not bytes:
            raise InvalidArgument("body", body, "must be bytes")
        length = len(body)
        size += length
        if length > body_max:
            raise InvalidArgument("body", f"{length} bytes", f"must have at most {body_max} bytes")
        if message.__class__ is not Plain:
            _check_options(message)
    if size > BATCH_BYTES_MAX:
        raise InvalidArgument("messages", f"{size} bytes", f"must have at most {BATCH_BYTES_MAX} bytes together")


def _check_options(message: Message) -> None:
    check_range("priority", message.priority, PRIORITY_MIN, PRIORITY_MAX)
    check_range("delay", message.delay, 0, DELAY_MS_MAX, " ms")
    check_range("ttl", message.ttl, 0, TTL_MS_MAX, " ms")
    check_range("deliver_at", message.deliver_at, 0, TIME_MS_MAX)
    if message.dedup_id is not None:
        check_key("dedup_id", message.dedup_id)
    if message.ordering_key is not None:
        check_key("ordering_key", message.ordering_key)
    if message.headers is not None:
        check_headers(message.headers)


def check_headers(headers: Headers) -> None:
    """Raise InvalidArgument for too many or too large headers, or names that cannot be carried by every door."""
    if not isinstance(headers, dict):
        raise InvalidArgument("headers", headers, "must map text to text")
    if len(headers) > HEADERS_MAX:
        raise InvalidArgument("headers", f"{len(headers)} headers", f"must be at most {HEADERS_MAX}")
    size = 0
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidArgument("headers", {name: value}, "must map text to text")
        if not 1 <= len(name) <= HEADER_NAME_CHARS_MAX or not name.isprintable():
            raise InvalidArgument(
                "headers", name, f"must have names of 1 to {HEADER_NAME_CHARS_MAX} printable characters"
            )
        try:
            size += len(name.encode()) + len(value.encode())
        except UnicodeEncodeError as error:
            raise InvalidArgument("headers", value, "must be text that UTF-8 can carry") from error
    if size > HEADERS_BYTES_MAX:
        raise InvalidArgument("headers", f"{size} bytes", f"must have at most {HEADERS_BYTES_MAX} bytes together")


def check_batch(field: str, count: int) -> None:
    """Raise InvalidArgument when a batch has no element or too many."""
    if not 1 <= count <= BATCH_MESSAGES_MAX:
        raise InvalidArgument(field, f"{count} elements", f"must have 1 to {BATCH_MESSAGES_MAX} elements")


def check_receive(group: str, limit: int, lease: int, wait: int, consumer: str) -> None:
    """Check the arguments of a receive."""
    if group is not DEFAULT_GROUP:
        check_name("group", group)
    check_range("limit", limit, 1, BATCH_MESSAGES_MAX)
    if wait:
        check_range("wait", wait, 0, WAIT_MS_MAX, " ms")
    if lease:
        check_range("lease", lease, LEASE_MS_MIN, LEASE_MS_MAX, " ms")
    if consumer != "":
        check_key("consumer_id", consumer)


def check_nack(count: int, delay: int | None) -> None:
    """Check the arguments of a nack."""
    check_batch("receipts", count)
    if delay is not None:
        check_range("delay", delay, 0, DELAY_MS_MAX, " ms")


def check_extend(count: int, lease: int) -> None:
    """Check the arguments of an extend."""
    check_batch("receipts", count)
    check_range("lease", lease, LEASE_MS_MIN, LEASE_MS_MAX, " ms")


def check_ids(ids: Sequence[int]) -> None:
    """Check message ids that a verb is given as a list."""
    if len(ids) > BATCH_MESSAGES_MAX:
        check_batch("message_ids", len(ids))
    for message_id in ids:
        check_range("message_ids", message_id, 1, ID_MAX)


def cut_error(error: str) -> str:
    """Error text as it is kept: without control characters, at most ERROR_CHARS_MAX characters."""
    if not isinstance(error, str):
        raise InvalidArgument("error", error, "must be text")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in error[:ERROR_CHARS_MAX])


_RANGES: tuple[tuple[str, int, int, str], ...] = (
    ("lease", LEASE_MS_MIN, LEASE_MS_MAX, " ms"),
    ("max_attempts", 0, ATTEMPTS_MAX, ""),
    ("backoff", 0, BACKOFF_MS_MAX, " ms"),
    ("ttl", 0, TTL_MS_MAX, " ms"),
    ("dedup_window", 0, DEDUP_WINDOW_MS_MAX, " ms"),
    ("max_messages", 1, COUNT_MAX, ""),
    ("max_bytes", 1, COUNT_MAX, ""),
)


def check_settings(settings: Settings) -> None:
    """Raise InvalidArgument for the first setting out of its range."""
    for field, low, high, unit in _RANGES:
        value = getattr(settings, field)
        if value is not None:
            check_range(field, value, low, high, unit)
    for field, allowed in (("kind", ("queue", "topic")), ("overflow", ("reject", "drop-oldest"))):
        if getattr(settings, field) not in allowed:
            raise InvalidArgument(field, getattr(settings, field), f"must be one of {', '.join(allowed)}")
    for field in ("dead_letter_expired", "paused"):
        if not isinstance(getattr(settings, field), bool):
            raise InvalidArgument(field, getattr(settings, field), "must be true or false")
    if settings.dead_letter is not None and settings.dead_letter != "":
        check_name("dead_letter", settings.dead_letter)

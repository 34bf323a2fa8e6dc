"""Every bound, with its unit. Checked once, in the broker, before anything is stored."""

import re

from .errors import InvalidArgument

BODY_BYTES_MAX = 1024 * 1024
HEADERS_MAX = 64
HEADER_NAME_CHARS_MAX = 128
HEADERS_BYTES_MAX = 16 * 1024
"""Names and values of one message's headers together."""

NAME_CHARS_MAX = 200
"""Queue, group and namespace names. A derived dead-letter name may exceed it by its suffix."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
KEY_CHARS_MAX = 256
"""Deduplication ids, ordering keys, consumer ids."""
ERROR_CHARS_MAX = 2048
"""Error text of a nack or reject; longer text is cut."""

PRIORITY_MIN, PRIORITY_MAX = -1000, 1000
BATCH_MESSAGES_MAX = 1000
BATCH_BYTES_MAX = 16 * 1024 * 1024
PEEK_MESSAGES_MAX = 1000

LEASE_MS_MIN, LEASE_MS_MAX = 1, 12 * 3600 * 1000
DELAY_MS_MAX = 366 * 24 * 3600 * 1000
TTL_MS_MAX = 10 * DELAY_MS_MAX
WAIT_MS_MAX = 3600 * 1000
DEDUP_WINDOW_MS_MAX = 7 * 24 * 3600 * 1000
BACKOFF_MS_MAX = 24 * 3600 * 1000
"""Cap of the exponential backoff."""
ATTEMPTS_MAX = 1_000_000

QUEUES_MAX = 100_000
"""Queues of one store."""
GROUPS_MAX = 1000
"""Groups of one queue."""
BUCKETS_MAX = 10_000
"""Callers whose rate is remembered at once."""
WAITERS_MAX = 100_000
"""Long polls one broker holds at once."""
CREDIT_MAX = 1_000_000
"""Largest prefetch of a subscription: messages that it may have unanswered."""
ID_MAX = 2**63 - 1
"""Highest id of a message."""
TIME_MS_MAX = 253_402_300_800_000
"""The end of the year 9999."""

DEFAULT_LEASE_MS = 30_000
DEFAULT_MAX_ATTEMPTS = 3
DEFAULT_BACKOFF_MS = 30_000
DEFAULT_DEDUP_WINDOW_MS = 3600 * 1000


def check_name(field: str, name: object) -> str:
    """Return `name` when it may name a queue, group or namespace; raise InvalidArgument otherwise."""
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARS_MAX or NAME_PATTERN.fullmatch(name) is None:
        rule = f"must be 1 to {NAME_CHARS_MAX} letters, digits or _ . : - and not begin with a sign"
        raise InvalidArgument(field, name, rule)
    return name


def check_range(field: str, value: object, low: int, high: int, unit: str = "") -> int:
    """Return `value` when it is an int from `low` to `high`; raise InvalidArgument otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidArgument(field, value, f"must be a whole number from {low} to {high}{unit}")
    return value


def check_key(field: str, value: object) -> str:
    """Return `value` when it may serve as a dedup id, ordering key or consumer id; raise InvalidArgument otherwise."""
    if not isinstance(value, str) or not 1 <= len(value) <= KEY_CHARS_MAX or not value.isprintable():
        raise InvalidArgument(field, value, f"must be 1 to {KEY_CHARS_MAX} printable characters")
    return value

"""The error tree: stable codes, texts that name what is wrong, and errors that travel between processes."""

import pickle

import pytest

from crossdock.core import errors
from crossdock.core.errors import (
    AccessDenied,
    CrossdockError,
    DedupConflict,
    InvalidArgument,
    LeaseLost,
    MessageExpired,
    MessageNotFound,
    QueueClosed,
    QueueFull,
    QueueNotFound,
    RateLimited,
    StoreFailed,
    StoreUnavailable,
)

CODES = {
    "CrossdockError": "error",
    "InvalidArgument": "invalid_argument",
    "DedupConflict": "dedup_conflict",
    "QueueNotFound": "queue_not_found",
    "QueueFull": "queue_full",
    "QueueClosed": "queue_closed",
    "MessageExpired": "message_expired",
    "LeaseLost": "lease_lost",
    "MessageNotFound": "message_not_found",
    "AccessDenied": "access_denied",
    "RateLimited": "rate_limited",
    "StoreFailed": "store_failed",
    "StoreUnavailable": "store_unavailable",
}
"""Doors and clients of other versions rely on these: a code is never changed, and never used twice."""

SAMPLES = [
    CrossdockError("oh"),
    InvalidArgument("lease", -1, "must not be negative"),
    DedupConflict("order-42"),
    QueueNotFound("orders"),
    QueueFull("queue 'orders' is full"),
    QueueClosed("the broker is shutting down"),
    MessageExpired("too late"),
    LeaseLost(7),
    MessageNotFound(7),
    AccessDenied("no"),
    RateLimited(0.25),
    StoreFailed("sync failed"),
    StoreUnavailable("disk full"),
]


def test_codes_are_unique_and_stable() -> None:
    classes = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CrossdockError)
    }
    assert {name: cls.code for name, cls in classes.items()} == CODES
    assert len(set(CODES.values())) == len(CODES)


def test_the_tree_is_what_callers_catch() -> None:
    assert issubclass(DedupConflict, InvalidArgument)
    assert issubclass(MessageNotFound, LeaseLost)
    assert not issubclass(QueueNotFound, (InvalidArgument, LeaseLost))
    assert all(isinstance(sample, CrossdockError) for sample in SAMPLES)
    assert {type(sample).__name__ for sample in SAMPLES} == set(CODES)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: CrossdockError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.code == error.code
    assert vars(copy) == vars(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InvalidArgument("lease", "5x", "must be a duration"), "lease must be a duration, got '5x'"),
        (InvalidArgument("limit", None, "must be set"), "limit must be set, got None"),
        (DedupConflict("order-42"), "dedup_id was used for a message with another body, got 'order-42'"),
        (QueueNotFound("or'ders"), 'queue "or\'ders" does not exist'),
        (LeaseLost(7), "the lease of message 7 is no longer held"),
        (MessageNotFound(7), "message 7 does not exist"),
        (RateLimited(0.25), "too many requests, try again in 0.25 s"),
    ],
)
def test_the_text_names_field_and_value(error: CrossdockError, text: str) -> None:
    assert str(error) == text


def test_a_long_value_is_cut_and_a_hostile_one_escaped() -> None:
    assert str(InvalidArgument("name", "x" * 10_000, "is too long")) == "name is too long, got '" + "x" * 76 + "..."
    assert str(InvalidArgument("name", "a\n\x1b[2J", "is bad")) == r"name is bad, got 'a\n\x1b[2J'"

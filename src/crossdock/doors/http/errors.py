"""Errors as responses. The one table from error codes to HTTP statuses is here."""

import logging
import math

from crossdock.core.errors import CrossdockError, InvalidArgument, RateLimited, StoreUnavailable
from crossdock.wire.json_api import Problem
from crossdock.wire.json_api_bodies import Malformed

from .answer import Answer, encode

_log = logging.getLogger("crossdock.http")

STATUSES = {
    "invalid_argument": 400,
    "message_expired": 400,
    "access_denied": 403,
    "queue_not_found": 404,
    "message_not_found": 404,
    "group_not_found": 404,
    "dedup_conflict": 409,
    "lease_lost": 409,
    "body_too_large": 413,
    "rate_limited": 429,
    "queue_closed": 503,
    "store_failed": 503,
    "store_unavailable": 503,
    "queue_full": 507,
}

FIELDS = {"body": "message", "dedup_id": "deduplication_id", "receipts": "messages"}
"""Fields that the API calls otherwise than the broker does."""

RETRY_SOON = ((b"retry-after", b"1"),)


class BodyTooLarge(CrossdockError):
    """The request has more bytes than its route takes."""

    code = "body_too_large"

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self.bytes_max = bytes_max

    def __str__(self) -> str:
        return f"body must have at most {self.bytes_max} bytes"


UNAUTHORIZED = Answer(401, b'{"error":"Unauthorized"}', ((b"www-authenticate", b"ApiKey"),))
NO_SUCH_ROUTE = Answer(404, encode(Problem("no such route", "not_found")))


def wrong_method(allowed: tuple[str, ...]) -> Answer:
    """The answer to a method that a route does not have."""
    problem = Problem(f"method must be one of {', '.join(allowed)}", "method_not_allowed")
    return Answer(405, encode(problem), ((b"allow", ", ".join(allowed).encode()),))


def refusal(error: CrossdockError, request_id: bytes) -> Answer:
    """The answer that tells of an error."""
    status = STATUSES.get(error.code)
    if status is None:
        return failure(error, request_id)
    if isinstance(error, RateLimited):
        retry_after = b"%d" % math.ceil(error.retry_after)
        return Answer(429, b'{"error":"Too many requests"}', ((b"retry-after", retry_after),))
    if isinstance(error, StoreUnavailable):
        _log.error("request %s: %s", request_id.decode(), error)
        problem = Problem("the store cannot answer now", error.code, request_id.decode())
        return Answer(status, encode(problem), RETRY_SOON)
    return Answer(status, encode(Problem(describe(error), error.code)), RETRY_SOON if status == 503 else ())


def describe(error: CrossdockError) -> str:
    """The sentence for the caller, with the API's names of fields."""
    text = str(error)
    if isinstance(error, InvalidArgument) and not isinstance(error, Malformed):
        return FIELDS.get(error.field, error.field) + text.removeprefix(error.field)
    return text


def failure(error: Exception, request_id: bytes) -> Answer:
    """The answer to a fault of ours. What it was is logged, never told."""
    _log.error("request %s failed", request_id.decode(), exc_info=error)
    return Answer(500, encode(Problem("internal error", request_id=request_id.decode())))

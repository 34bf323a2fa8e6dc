"""Errors as statuses. The one table from error codes to gRPC's is here."""

import logging
from contextvars import ContextVar

from grpc import StatusCode

from crossdock.core.errors import CrossdockError, StoreUnavailable

_log = logging.getLogger("crossdock.grpc")

STATUSES = {
    "invalid_argument": StatusCode.INVALID_ARGUMENT,
    "message_expired": StatusCode.INVALID_ARGUMENT,
    "access_denied": StatusCode.PERMISSION_DENIED,
    "queue_not_found": StatusCode.NOT_FOUND,
    "message_not_found": StatusCode.NOT_FOUND,
    "dedup_conflict": StatusCode.ALREADY_EXISTS,
    "lease_lost": StatusCode.FAILED_PRECONDITION,
    "queue_full": StatusCode.RESOURCE_EXHAUSTED,
    "rate_limited": StatusCode.RESOURCE_EXHAUSTED,
    "queue_closed": StatusCode.UNAVAILABLE,
    "store_failed": StatusCode.UNAVAILABLE,
    "store_unavailable": StatusCode.UNAVAILABLE,
}

request_id: ContextVar[str] = ContextVar("request_id")
"""The id of the call that this task serves: the caller's, when it is sane, or one of our own."""


class Refused(Exception):
    """A call that ends with this status for a reason that is no error of crossdock."""

    def __init__(self, status: StatusCode, text: str) -> None:
        super().__init__(text)
        self.status = status


def status_of(error: Exception) -> StatusCode:
    """The status that tells of an error; INTERNAL for a fault of ours."""
    if isinstance(error, Refused):
        return error.status
    return STATUSES.get(code_of(error), StatusCode.INTERNAL)


def code_of(error: Exception) -> str:
    """The stable code that a caller is told; "" where there is none."""
    return error.code if isinstance(error, CrossdockError) and error.code in STATUSES else ""


def text_of(error: Exception) -> str:
    """The sentence for the caller. What a fault of ours was is never told."""
    if isinstance(error, StoreUnavailable):
        return "the store cannot answer now"
    return "internal error" if status_of(error) is StatusCode.INTERNAL else str(error)


def log_fault(error: Exception) -> None:
    """Log what is no mistake of the caller: with its trace, unless it is the store's and told in its text."""
    if isinstance(error, StoreUnavailable):
        _log.error("request %s: %s", request_id.get(), error)
    elif status_of(error) is StatusCode.INTERNAL:
        _log.error("request %s failed", request_id.get(), exc_info=error)

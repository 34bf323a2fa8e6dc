"""From an error response of the HTTP door back to the exception that it tells of."""

import re
from collections.abc import Mapping

import msgspec

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
from crossdock.wire.json_api import Problem
from crossdock.wire.json_api_queues import GroupNotFound

_PLAIN: dict[str, type[CrossdockError]] = {
    kind.code: kind
    for kind in (
        AccessDenied,
        GroupNotFound,
        MessageExpired,
        QueueClosed,
        QueueFull,
        StoreFailed,
        StoreUnavailable,
    )
}
"""Errors that are nothing but their text."""
_GOT = re.compile(r", got '(?P<value>.*)'$", re.DOTALL)


class Refused(InvalidArgument):
    """An argument that the server refused, in the server's words."""

    def __init__(self, text: str) -> None:
        field, _, rule = text.partition(" ")
        super().__init__(field, None, rule)
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return Refused, (self._text,)


def told_error(status: int, headers: Mapping[str, str], content: bytes, queue: str, message_id: int) -> CrossdockError:
    """The exception for a response that is no success. `queue` and `message_id` are what the request was about."""
    if status == 401:
        return AccessDenied("the server asks for another API key")
    if status == 429:
        seconds = headers.get("retry-after", "")  # a proxy's may be a date
        return RateLimited(float(seconds) if seconds.isascii() and seconds.isdecimal() else 1.0)
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.DecodeError:
        return CrossdockError(f"the server answers with HTTP status {status} and not as crossdock does")
    return problem_error(problem, queue, message_id)


def problem_error(problem: Problem, queue: str, message_id: int) -> CrossdockError:
    """The exception that a server's problem tells of. `queue` and `message_id` are what the request was about."""
    if problem.code == QueueNotFound.code:
        return QueueNotFound(queue)
    if problem.code in (LeaseLost.code, MessageNotFound.code):
        return receipt_error(problem.code, message_id)
    if problem.code == DedupConflict.code:
        got = _GOT.search(problem.error)
        return DedupConflict(got["value"] if got else "")
    if problem.code in (InvalidArgument.code, "body_too_large"):
        return Refused(problem.error)
    trace = f" (request {problem.request_id})" if problem.request_id else ""
    return _PLAIN.get(problem.code, CrossdockError)(f"{problem.error}{trace}")


def receipt_error(code: str, message_id: int) -> LeaseLost:
    """What the server says of a receipt."""
    return MessageNotFound(message_id) if code == MessageNotFound.code else LeaseLost(message_id)

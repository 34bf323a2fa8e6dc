"""Errors as frames: the text `error: ` and a sentence that names field and value."""

import logging

from crossdock.core.errors import CrossdockError, StoreUnavailable

from ..shared.request_ids import RequestIds
from .counters import PathCounters
from .frames import text_frame

_log = logging.getLogger("crossdock.websocket")
_ids = RequestIds()


class NoMessage(CrossdockError):
    """The queue has no message for the consumer that asked."""

    code = "no_message"

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.queue = queue

    def __str__(self) -> str:
        return f"queue {self.queue!r} is empty"


class TooManyUnanswered(CrossdockError):
    """The consumer must answer something before it gets more."""

    code = "too_many_unanswered"

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return f"{self.most} messages are unanswered on this connection, answer some first"


def error_text(error: BaseException, counters: PathCounters) -> str:
    """The sentence for the caller, counted. A fault of ours is logged, and told by the id under which it was."""
    known = isinstance(error, CrossdockError) and error.code != CrossdockError.code
    counters.failed(error.code if isinstance(error, CrossdockError) and known else "internal")
    if known and not isinstance(error, StoreUnavailable):
        return f"error: {error}"
    request_id = _ids.of(None).decode()
    if known:
        _log.error("request %s: %s", request_id, error)
        return f"error: the store cannot answer now (request {request_id})"
    _log.error("request %s failed", request_id, exc_info=error)
    return f"error: internal error (request {request_id})"


def error_frame(error: BaseException, counters: PathCounters) -> bytes:
    """The frame that tells of an error."""
    return text_frame(error_text(error, counters).encode())

"""A program's function, and how the messages of one queue come to it."""

import inspect
from collections.abc import Awaitable, Callable
from typing import cast

from crossdock.core.durations import Duration, to_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BATCH_MESSAGES_MAX, DELAY_MS_MAX, LEASE_MS_MAX, LEASE_MS_MIN, check_name, check_range
from crossdock.core.text import printable

from .received import Received

Function = Callable[[Received], object]
"""Takes a message; a coroutine function is awaited on the worker's loop, any other runs in a thread."""

Failure = BaseException | None
"""How a call ended: what the function raised, None when it returned."""

CONCURRENCY_MAX = BATCH_MESSAGES_MAX
"""Messages that one handler may have at once: their leases are extended in one batch."""


class Reject(Exception):
    """Raise it in a handler to dead-letter the message now, with this text as its error."""


class Handler:
    """A function and its terms. Raises InvalidArgument for terms that cannot be kept."""

    def __init__(
        self, function: Function, queue: str, group: str, concurrency: int, lease: Duration, retry: Duration | None
    ) -> None:
        if not callable(function) or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument("handler", function, "must be a function or coroutine function")
        self.function = function
        self.waits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
        """Whether it is a coroutine function."""
        self.queue = queue
        self.group = check_name("group", group)
        self.concurrency = check_range("concurrency", concurrency, 1, CONCURRENCY_MAX)
        self.lease = check_range("lease", to_ms("lease", lease), LEASE_MS_MIN, LEASE_MS_MAX, " ms")
        self.retry = None if retry is None else check_range("retry", to_ms("retry", retry), 0, DELAY_MS_MAX, " ms")

    async def awaited(self, message: Received) -> Failure:
        """Call the coroutine function."""
        try:
            await cast(Awaitable[object], self.function(message))
        except (Exception, SystemExit) as error:  # SystemExit: a message must not end the worker.
            return error
        return None

    def called(self, message: Received) -> Failure:
        """Call the plain function, in the thread of the caller."""
        try:
            result = self.function(message)
            if inspect.iscoroutine(result):
                result.close()
                raise TypeError("the handler returned a coroutine; declare it with `async def`")
        except BaseException as error:  # Whatever it was, the thread goes on to the next message.
            return error
        return None


def error_text(error: BaseException) -> str:
    """What is kept of an exception: its class and its text, on one line."""
    try:
        text = str(error)
    except Exception as another:
        text = f"its text cannot be had: {type(another).__name__}"
    if isinstance(error, Reject):
        return printable(text)
    name = type(error).__name__
    return printable(f"{name}: {text}" if text else name)

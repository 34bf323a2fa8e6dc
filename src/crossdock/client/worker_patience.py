"""Waiting on a clock, and trying again while a store or server does not answer."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from crossdock.broker import AsyncRuntime, Broker
from crossdock.core.errors import CrossdockError, RateLimited, StoreFailed

from .aio import Connection

T = TypeVar("T")
Extra = Mapping[str, object]
"""What a log record tells beside its text."""

PAUSE_MS_MIN = 500
PAUSE_MS_MAX = 30_000
"""Between two tries: doubled from the first to the second, each less by up to half (F35: not all workers at once)."""

_log = logging.getLogger("crossdock.worker")


class Patience:
    """The clock of one worker, and how it treats calls that fail."""

    def __init__(self, runtime: AsyncRuntime, connection: Connection) -> None:
        self.clock = runtime.clock
        self._runtime = runtime
        self._connection = connection

    async def sleep_until(self, at: int) -> None:
        """Return when the clock has reached `at` (ms)."""
        waiter = self._runtime.waiter()
        cancel = self.clock.alarm(at, waiter.wake)
        try:
            await waiter
        finally:
            cancel()

    async def insist(self, step: Callable[[], Awaitable[T]], doing: str, told: Extra, until: int | None = None) -> T:
        """Do `step` until it is answered; `doing` and `told` go to the log with each failure.

        Raises the failure once the clock has reached `until`, or when it is final.
        """
        pause = PAUSE_MS_MIN
        while True:
            try:
                return await step()
            except CrossdockError as error:
                now = self.clock.now()
                if self.is_final(error) or (until is not None and now >= until):
                    raise
                _log.warning("%s failed, will try again", doing, extra={**told, "error": str(error)})
                at = now + max(round(pause * (1 - self._runtime.random() / 2)), _asked_for(error))
            await self.sleep_until(at if until is None else min(at, until))
            pause = min(2 * pause, PAUSE_MS_MAX)

    def is_final(self, error: CrossdockError) -> bool:
        """Whether no further try can succeed: the connection is closed, or the disk failed under a store in here.

        A server whose disk failed is started again; a store in this process is not opened again.
        """
        return self._connection.closed or (
            isinstance(error, StoreFailed) and isinstance(self._connection.transport, Broker)
        )


def _asked_for(error: CrossdockError) -> int:
    return round(error.retry_after * 1000) if isinstance(error, RateLimited) else 0

"""What brings the deliveries of a member of a group on a server that pushes, over as many connections as it takes."""

import asyncio
import logging
from collections.abc import Callable
from typing import ClassVar

from crossdock.core.errors import CrossdockError, StoreUnavailable

PAUSE_SECONDS_MIN = 0.1
PAUSE_SECONDS_MAX = 10.0
"""Between two connections: doubled from each to the next, less by up to half (F35: not all clients at once)."""

_log = logging.getLogger("crossdock.client")


class Feed:
    """One connection after another, until it is closed, or the server ends the subscription for good."""

    _losses: ClassVar[tuple[type[CrossdockError], ...]] = (StoreUnavailable,)
    """After which of the errors that end a connection another is made."""

    def __init__(self, queue: str, random: Callable[[], float]) -> None:
        self._queue = queue
        self._random = random
        self._pause = PAUSE_SECONDS_MIN
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def run(self) -> None:
        """Begin, unless it has begun. Raises what the server said when it ended the subscription for good."""
        if self._task is None and not self._closing:
            self._task = asyncio.create_task(self._run())
        elif self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    def end(self) -> None:
        """Ask for no more, over a later connection neither."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the connection; the server has given back its leases then, if it answers. May be called again."""
        raise NotImplementedError

    async def _read(self) -> None:
        """Take what comes over one connection until it ends, which returns its leases. Raises what ended it."""
        raise NotImplementedError

    def _works(self) -> None:
        """The connection brings something: should it be lost, the next is made soon."""
        self._pause = PAUSE_SECONDS_MIN

    async def _run(self) -> None:
        while not self._closing:
            try:
                await self._read()
            except self._losses as error:
                if self._closing:
                    return
                _log.warning("subscription lost, will connect again: %s", error, extra={"queue": self._queue})
            await asyncio.sleep(self._pause * (1 - self._random() / 2))
            self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)

"""When the messages of a sender are due."""

import asyncio
import time
from typing import Protocol

SECOND = 1_000_000_000
"""ns"""


class Clock(Protocol):
    """A clock of ns that every process of this machine reads alike."""

    def now(self) -> int: ...

    async def until(self, due: int) -> None:
        """Come back at `due`; when that is past, as soon as others had their turn."""
        ...


class SystemClock:
    """The machine's monotonic clock. A wait may end up to 1 ms late: event loops count in ms."""

    def now(self) -> int:
        return time.monotonic_ns()

    async def until(self, due: int) -> None:
        await asyncio.sleep(max(0, due - time.monotonic_ns()) / SECOND)


class Pace:
    """The schedule of one of `senders` that share `rate` messages a second, in sends of `batch`.

    A send that is late does not move those after it, and its latency counts from when it was due: what a slow answer
    delays is measured, not omitted. Without a rate a send is due when the one before it is answered.
    """

    def __init__(self, clock: Clock, begin: int, sender: int, senders: int, rate: float, batch: int) -> None:
        self._clock = clock
        self._sends = 0
        self._begin = begin
        self._apart = SECOND * batch / rate if rate else 0.0
        self._sender = sender
        self._senders = senders

    async def next(self) -> int:
        """Wait for the next send to be due; returns when it was."""
        if not self._apart:
            await self._clock.until(0)
            return self._clock.now()
        due = self._begin + round((self._sends * self._senders + self._sender) * self._apart)
        self._sends += 1
        await self._clock.until(due)
        return due

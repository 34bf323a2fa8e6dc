"""Sends the messages of one schedule at its ticks."""

import logging
from functools import partial

from crossdock.core.errors import CrossdockError, DedupConflict

from .aio import Connection
from .schedule import Schedule, tick_text
from .worker_patience import Patience

START_LATE_MS = 60_000
"""A tick that fell due less than this before the start is sent at the start: the process may have been restarted."""

_log = logging.getLogger("crossdock.worker")


class Ticker:
    """One schedule in this process.

    A tick is tried until the store answers, but neither beyond the next one nor when it is `late` ms late. So a process
    that could not send for a while sends at most one tick, the latest.
    """

    def __init__(self, schedule: Schedule, late: int, connection: Connection, patience: Patience) -> None:
        self._schedule = schedule
        self._late = late
        self._connection = connection
        self._address = (connection.namespace, schedule.queue)
        self._patience = patience

    async def run(self) -> None:
        """Send at every tick, for ever."""
        tick = self._first()
        while True:
            await self._patience.sleep_until(tick)
            following = self._schedule.next_after(tick)
            await self._send(tick, min(following, tick + self._late))
            tick = following

    def _first(self) -> int:
        now = self._patience.clock.now()
        tick = self._schedule.next_after(now - START_LATE_MS)
        while (following := self._schedule.next_after(tick)) <= now:
            tick = following
        return tick

    async def _send(self, tick: int, until: int) -> None:
        """Send a tick while the clock has not reached `until`, and log what became of it."""
        told = {"schedule": self._schedule.name, "queue": self._schedule.queue, "tick": tick_text(tick)}
        if self._patience.clock.now() >= until:
            _log.error("tick missed", extra=told | {"error": "the process stood still"})
            return
        try:
            sent = await self._patience.insist(partial(self._send_once, tick), "tick", told, until)
        except CrossdockError as error:
            if self._patience.is_final(error):
                raise
            _log.error("tick missed", extra=told | {"error": str(error)})
        else:
            _log.info("tick sent", extra=told | {"message_id": sent})

    async def _send_once(self, tick: int) -> int | None:
        """The id of the tick's message; None when it was sent with another body, as while a program is updated."""
        try:
            return (await self._connection.transport.send(self._address, [self._schedule.message(tick)])).ids[0]
        except DedupConflict:
            return None

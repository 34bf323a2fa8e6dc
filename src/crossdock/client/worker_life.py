"""One run of a worker: start, work, stop."""

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

from crossdock.broker import AsyncRuntime
from crossdock.core.clock import Clock
from crossdock.core.errors import InvalidArgument, QueueNotFound
from crossdock.core.model import Settings

from .aio import Connection
from .schedule import Schedule
from .schedule_ticker import Ticker
from .worker_consumer import Consumer
from .worker_handler import Handler
from .worker_patience import Patience

_log = logging.getLogger("crossdock.worker")


class Life:
    """Handlers and schedules at work over one open connection, until told to stop. To be made in an event loop."""

    def __init__(
        self,
        handlers: Sequence[Handler],
        schedules: Sequence[Schedule],
        connection: Connection,
        grace: int,
        clock: Clock | None,
    ) -> None:
        if not handlers and not schedules:
            raise InvalidArgument("worker", None, "must have a handler or a schedule")
        self._handlers = handlers
        self._schedules = schedules
        self._connection = connection
        self._grace = grace
        self._patience = Patience(AsyncRuntime(clock), connection)
        self._consumers: list[Consumer] = []
        self.loop = asyncio.get_running_loop()
        self.thread = threading.get_ident()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stopping` is set. Cancelled, give back at once what handlers still have.

        Raises what the store says when it cannot even begin, and any fault of the worker's own.
        """
        tickers = [await self._ticker(schedule) for schedule in self._schedules]
        for handler in self._handlers:
            await self._settings(handler.queue)
        self._consumers = [Consumer(handler, self._connection, self._patience) for handler in self._handlers]
        takers = [asyncio.ensure_future(ticker.run()) for ticker in tickers]
        takers += [asyncio.ensure_future(consumer.run()) for consumer in self._consumers]
        keepers = [asyncio.ensure_future(consumer.keeper.run()) for consumer in self._consumers]
        stop = asyncio.ensure_future(self.stopping.wait())
        tasks: list[asyncio.Task[Any]] = [stop, *takers, *keepers]
        _log.info("working", extra={"queues": [handler.queue for handler in self._handlers]})
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await _end(takers)
            _log.info("stopping")
            await self._drain()
        finally:
            await _end(tasks)
            for consumer in self._consumers:
                await consumer.give_back()
        _log.info("stopped")
        for task in (*takers, *keepers):
            if not task.cancelled():
                task.result()

    async def _ticker(self, schedule: Schedule) -> Ticker:
        late = schedule.lateness(await self._settings(schedule.queue))
        return Ticker(schedule, late, self._connection, self._patience)

    async def _settings(self, queue: str) -> Settings:
        """The settings of a queue, which is made when there is none."""
        address = (self._connection.namespace, queue)
        try:
            return (await self._connection.transport.stats(address)).settings
        except QueueNotFound:
            await self._connection.transport.create_queue(address)
            return (await self._connection.transport.stats(address)).settings

    async def _drain(self) -> None:
        """Wait for the handlers, as long as they are allowed."""
        over = asyncio.ensure_future(self._patience.sleep_until(self._patience.clock.now() + self._grace))
        drained = asyncio.ensure_future(self._drained())
        try:
            await asyncio.wait([over, drained], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end([over, drained])

    async def _drained(self) -> None:
        for consumer in self._consumers:
            await consumer.drain()


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

"""From a queue to a handler: takes as many messages as there are free places, never more."""

import asyncio
import logging
from collections.abc import Awaitable
from functools import partial

from crossdock.core.errors import CrossdockError, LeaseLost
from crossdock.core.model import Delivery

from .aio import Connection
from .base import SUBSCRIBE_WAIT_MS
from .worker_attempt import Attempt
from .worker_handler import Handler
from .worker_leases import LeaseKeeper
from .worker_patience import Patience
from .worker_threads import Threads

_RETURNED = "the worker stopped before the handler was done"
"""The error of a message that was given back."""

_log = logging.getLogger("crossdock.worker")


class Consumer:
    """The consumer of one handler. A message is leased when a place is free for it, so no lease runs in a line."""

    def __init__(self, handler: Handler, connection: Connection, patience: Patience) -> None:
        self._handler = handler
        self._transport = connection.transport
        self._address = (connection.namespace, handler.queue)
        self._patience = patience
        self._about = {"queue": handler.queue, "group": handler.group}
        self._threads = Threads(f"crossdock-{handler.queue}", handler.concurrency)
        self._attempts: dict[Attempt, asyncio.Task[None]] = {}
        self._left = asyncio.Event()
        self.keeper = LeaseKeeper(handler, self._attempts, self._transport, self._address, patience)

    async def run(self) -> None:
        """Take messages and start attempts, for ever."""
        while True:
            free = self._handler.concurrency - len(self._attempts)
            if not free:
                self._left.clear()
                await self._left.wait()
                continue
            for delivery in await self._patience.insist(partial(self._take, free), "receive", self._about):
                self._start(delivery)

    def _take(self, limit: int) -> Awaitable[list[Delivery]]:
        handler = self._handler
        return self._transport.receive(self._address, handler.group, limit, handler.lease, SUBSCRIBE_WAIT_MS)

    def _start(self, delivery: Delivery) -> None:
        attempt = Attempt(self._handler, delivery, self._transport, self._address, self._patience, self._threads)
        task = self._attempts[attempt] = asyncio.ensure_future(attempt.run())
        task.add_done_callback(lambda ended: self._end(attempt, ended))

    def _end(self, attempt: Attempt, task: "asyncio.Task[None]") -> None:
        del self._attempts[attempt]
        self._left.set()
        if not task.cancelled() and task.exception() is not None:  # A fault of ours: the lease will end by itself.
            _log.error("attempt failed", extra=self._about, exc_info=task.exception())

    async def drain(self) -> None:
        """Wait until every attempt has ended."""
        while self._attempts:
            await asyncio.wait(self._attempts.values())

    async def give_back(self) -> None:
        """Give back, for others to take at once, what handlers still have; end what waits for a store's answer."""
        held = [attempt for attempt in self._attempts if attempt.handling]
        answering = [task for attempt, task in self._attempts.items() if not attempt.handling]
        for attempt in held:
            attempt.give_up()
        for task in answering:
            task.cancel()
        if answering:
            await asyncio.wait(answering)
        if held:
            await self._nack(held)
        self._threads.stop()

    async def _nack(self, held: list[Attempt]) -> None:
        deliveries = [attempt.delivery for attempt in held]
        try:
            failures = await self._transport.nack(self._address, self._handler.group, deliveries, 0, _RETURNED)
        except CrossdockError as error:  # Their leases end by themselves.
            for attempt in held:
                attempt.tell("unknown", error)
            return
        for index, attempt in enumerate(held):
            attempt.tell("lost" if isinstance(failures.get(index), LeaseLost) else "returned")

"""A member of a group on a server: it takes messages by long polls, as many as it has room for."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from crossdock.broker.holding import AHEAD_MAX, Holding
from crossdock.core.errors import CrossdockError, QueueNotFound
from crossdock.core.limits import BATCH_MESSAGES_MAX
from crossdock.core.model import Delivery, Receipt

Receive = Callable[[int], Awaitable[list[Delivery]]]
"""Waits for up to so many messages."""
GiveBack = Callable[[Sequence[Delivery]], Awaitable[object]]

_log = logging.getLogger("crossdock.client")

NEVER_ENDS = 0
"""The time, as far as leases are asked: only the server's clock knows when they end."""


class HttpMember(Holding):
    """See `client.transport.Member`. A delivery takes up room until it is answered."""

    def __init__(
        self,
        prefetch: int,
        auto_ack: bool,
        receive: Receive,
        give_back: GiveBack,
        closed: Callable[["HttpMember"], None],
    ) -> None:
        super().__init__(prefetch, auto_ack, {})
        self._tell_closed = closed
        self._receive = receive
        self._give_back = give_back
        self._lock = threading.Lock()
        self._answered = asyncio.Event()
        self._waiting: asyncio.Future[list[Delivery]] | None = None

    @property
    def idle(self) -> bool:
        """Whether everything is answered."""
        return not self._held

    def poll(self) -> Delivery | None:
        """A delivery that is there already."""
        with self._lock:
            return self.pop(NEVER_ENDS)

    async def next(self) -> Delivery | None:
        """The next delivery, whenever it comes; None when the member is closed. Raises what the server says."""
        while not self.closed:
            with self._lock:
                self.active = True
                delivery = self.pop(NEVER_ENDS)
                room = min(self.room(NEVER_ENDS), AHEAD_MAX)
                self._answered.clear()
            if delivery is not None:
                return delivery
            if room:
                await self._fetch(room)
            else:
                await self._answered.wait()
        return None

    async def _fetch(self, room: int) -> None:
        waiting = self._waiting = asyncio.ensure_future(self._receive(room))
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if not waiting.cancelled():  # else by the end of the member
            deliveries = waiting.result()
            with self._lock:
                self.add(deliveries)

    def answered(self, receipts: Sequence[Receipt]) -> None:
        """Somebody answered these receipts, whatever came of it."""
        with self._lock:
            for receipt in receipts:
                self.drop((receipt.id, receipt.epoch))
        self._answered.set()

    async def end(self) -> None:
        """Get no more, and give back what no consumer has seen."""
        await self._leave("waiting")

    async def close(self) -> None:
        """Get no more, and give back whatever is not answered. May be called again."""
        await self._leave("all")
        self._tell_closed(self)

    async def _leave(self, which: Literal["waiting", "all"]) -> None:
        self.closed = True
        self._answered.set()
        if self._waiting is not None:
            self._waiting.cancel()
        with self._lock:
            given_up = self.give_up(which)
        await self._return(given_up)

    async def _return(self, deliveries: Sequence[Delivery]) -> None:
        for start in range(0, len(deliveries), BATCH_MESSAGES_MAX):
            try:
                await self._give_back(deliveries[start : start + BATCH_MESSAGES_MAX])
            except QueueNotFound:
                return  # deleted, and the leases with it
            except CrossdockError as error:
                _log.warning("leases could not be given back, they end by themselves: %s", error)

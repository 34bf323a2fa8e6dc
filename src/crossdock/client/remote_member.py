"""What members of groups on a server have in common, however the messages come from there."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from crossdock.broker.holding import AHEAD_MAX, Holding
from crossdock.core.model import Delivery, Receipt

NEVER_ENDS = 0
"""The time, as far as leases are asked: only the server's clock knows when they end."""


class RemoteMember(Holding):
    """See `client.transport.Member`. A delivery takes up room until it is answered."""

    def __init__(self, prefetch: int, auto_ack: bool, closed: Callable[["RemoteMember"], None]) -> None:
        super().__init__(prefetch, auto_ack, {})
        self._tell_closed = closed
        self._lock = threading.Lock()
        self._changed = asyncio.Event()
        """Set when there may be room, or a delivery, or the end."""

    async def drained(self) -> None:
        """Wait until everything is answered."""
        while self._held:
            self._changed.clear()
            await self._changed.wait()

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
                self._changed.clear()
            if delivery is not None:
                return delivery
            if room:
                await self._fetch(room)
            else:
                await self._changed.wait()
        return None

    async def _fetch(self, room: int) -> None:
        """Wait until there may be a delivery; there is room for so many."""
        raise NotImplementedError

    async def _let_go(self, deliveries: Sequence[Delivery]) -> None:
        """The member is closed, and nobody here will answer these."""
        raise NotImplementedError

    def answered(self, receipts: Sequence[Receipt]) -> None:
        """Somebody answered these receipts, whatever came of it."""
        with self._lock:
            for receipt in receipts:
                self.drop((receipt.id, receipt.epoch))
        self._changed.set()

    async def end(self) -> None:
        """Get no more, and give back what no consumer has seen."""
        await self._leave("waiting")

    async def close(self) -> None:
        """Get no more, and give back whatever is not answered. May be called again."""
        await self._leave("all")
        self._tell_closed(self)

    async def _leave(self, which: Literal["waiting", "all"]) -> None:
        self.closed = True
        self._changed.set()
        with self._lock:
            given_up = self.give_up(which)
        await self._let_go(given_up)

"""A member of a group on a server: it takes messages by long polls, as many as it has room for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from crossdock.core.errors import CrossdockError, QueueNotFound
from crossdock.core.limits import BATCH_MESSAGES_MAX
from crossdock.core.model import Delivery

from .remote_member import RemoteMember

Receive = Callable[[int], Awaitable[list[Delivery]]]
"""Waits for up to so many messages."""
GiveBack = Callable[[Sequence[Delivery]], Awaitable[object]]

_log = logging.getLogger("crossdock.client")


class HttpMember(RemoteMember):
    """See RemoteMember."""

    def __init__(
        self,
        prefetch: int,
        auto_ack: bool,
        receive: Receive,
        give_back: GiveBack,
        closed: Callable[[RemoteMember], None],
    ) -> None:
        super().__init__(prefetch, auto_ack, closed)
        self._receive = receive
        self._give_back = give_back
        self._waiting: asyncio.Future[None] | None = None

    async def _fetch(self, room: int) -> None:
        waiting = self._waiting = asyncio.ensure_future(self._bring(room))
        try:
            await asyncio.wait([waiting])
        except asyncio.CancelledError:
            waiting.cancel()
            raise
        if not waiting.cancelled():  # else by the end of the member
            waiting.result()

    async def _bring(self, room: int) -> None:
        deliveries = await self._receive(room)
        with self._lock:  # With the arrival, so that whoever leaves in this turn of the loop takes nothing along (F10).
            self.add(deliveries)

    async def _let_go(self, deliveries: Sequence[Delivery]) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        for start in range(0, len(deliveries), BATCH_MESSAGES_MAX):
            try:
                await self._give_back(deliveries[start : start + BATCH_MESSAGES_MAX])
            except QueueNotFound:
                return  # deleted, and the leases with it
            except CrossdockError as error:
                _log.warning("leases could not be given back, they end by themselves: %s", error)

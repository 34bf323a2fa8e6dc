"""A member of a group on a server that pushes, whatever the protocol."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from crossdock.core.errors import Failures, StoreUnavailable
from crossdock.core.model import Delivery

from .feed import Feed
from .remote_member import RemoteMember

Ack = Callable[[Sequence[Delivery]], Awaitable[Failures]]

_log = logging.getLogger("crossdock.client")


class PushedMember(RemoteMember):
    """See RemoteMember. `prefetch` is its credit: the server shares messages out among the members.

    With `auto_ack` a message is acked before it is handed over: at most once, and nothing that waits here is lost.
    """

    feed: Feed

    def __init__(self, prefetch: int, auto_ack: bool, ack: Ack, closed: Callable[[RemoteMember], None]) -> None:
        super().__init__(prefetch, auto_ack=False, closed=closed)
        self._acks = auto_ack
        self._ack = ack

    def poll(self) -> Delivery | None:
        return None if self._acks else super().poll()

    async def next(self) -> Delivery | None:
        while (delivery := await super().next()) is not None:
            if not self._acks or await self._settled(delivery):
                break
        return delivery

    async def end(self) -> None:
        self.feed.end()
        await super().end()

    async def close(self) -> None:
        await self.feed.close()
        await super().close()

    async def _fetch(self, room: int) -> None:
        self.feed.run()
        await self._changed.wait()

    async def _let_go(self, deliveries: Sequence[Delivery]) -> None:
        """The server gives back what a connection brought when it ends."""

    async def _settled(self, delivery: Delivery) -> bool:
        try:
            return not await self._ack([delivery])
        except StoreUnavailable as error:  # Acked or not, it must not be handed over: it may come again.
            _log.warning("message %d was not handed over: %s", delivery.id, error)
            return False

    def arrived(self, deliveries: Sequence[Delivery]) -> None:
        """The feed brought these."""
        with self._lock:
            if not self.closed:
                self.add(deliveries)
        self._changed.set()

    def lost(self) -> None:
        """A connection of the feed ended, or the feed."""
        with self._lock:
            self.give_up("all")
        self._changed.set()

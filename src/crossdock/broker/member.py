"""A member of a group: a consumer that is handed its share of the messages."""

from typing import TYPE_CHECKING

from crossdock.core.model import Delivery

from .holding import Holding
from .runtime import Waiter

if TYPE_CHECKING:
    from .rotation import Rotation


class Member(Holding):
    """A subscribed consumer of a group, which is given up to `prefetch` messages that it has not answered.

    Made by `Broker.join`. Any thread may call; `next` has one caller at a time.
    """

    def __init__(
        self,
        rotation: "Rotation",
        prefetch: int,
        auto_ack: bool,
        lease: int,
        consumer: str,
        default_lease: int,
    ) -> None:
        super().__init__(prefetch, auto_ack, rotation.holders)
        self._rotation = rotation
        self.lease = lease
        self.consumer = consumer
        self.default_lease = default_lease
        self.waiter: Waiter | None = None
        """What it sleeps on while it asks and does not pull."""
        self.woken = False

    def wake(self) -> None:
        if self.waiter is not None:
            self.woken = True
            self.waiter.wake()

    def poll(self) -> Delivery | None:
        """A delivery that is there already."""
        rotation = self._rotation
        with rotation.lock:
            return self.pop(rotation.now()) if self._ahead else None

    async def next(self) -> Delivery | None:
        """The next delivery, whenever it comes; None when the member or the broker is closed.

        Raises QueueNotFound, StoreUnavailable, and QueueClosed for one wait too many.
        """
        return await self._rotation.next(self)

    async def close(self) -> None:
        """Be given no more; give back at once whatever is not answered. May be called again."""
        await self._rotation.close(self)

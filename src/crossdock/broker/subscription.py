"""Push subscriptions: messages are handed to a callback for as long as there is credit. For doors that push."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from crossdock.core.errors import QueueClosed
from crossdock.core.limits import CREDIT_MAX, check_range
from crossdock.core.model import Delivery

SHARE_MAX = 10
"""Most messages taken in one turn, so that the members of a group take turns."""

Take = Callable[[int], Awaitable[list[Delivery]]]
GiveBack = Callable[[Sequence[Delivery]], Awaitable[object]]
Deliver = Callable[[list[Delivery]], Awaitable[None]]


class Subscription:
    """Made by `Broker.subscribe`, of an AsyncRuntime's broker. All methods belong to its loop's thread.

    `deliver` gets one batch at a time, never more messages than the credit left; each uses up one credit.
    """

    def __init__(self, take: Take, give_back: GiveBack, deliver: Deliver, credit: int) -> None:
        self._take = take
        self._give_back = give_back
        self._deliver = deliver
        self.credit = check_range("credit", credit, 0, CREDIT_MAX)
        self._granted = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing is delivered any more; with the error that ended it, unless it was closed."""

    def grant(self, credit: int) -> None:
        """Allow `credit` more messages. Raises InvalidArgument; the credit left is at most CREDIT_MAX."""
        self.credit = min(self.credit + check_range("credit", credit, 1, CREDIT_MAX), CREDIT_MAX)
        self._granted.set()

    async def close(self) -> None:
        """Deliver no more; returns when the leases of what was not delivered were given back. May be called again.

        A delivery under way is cancelled, and counts as not delivered. Called by `deliver` itself, it only stops.
        """
        first, self._closed = not self._closed, True
        if self._task is not None and self._task is asyncio.current_task():
            return
        if first and self._task is not None:
            self._task.cancel()
        await asyncio.wait([self.ended])

    async def run(self) -> None:
        """Take and deliver until closed or failed. The broker spawns it."""
        self._task = asyncio.current_task()
        try:
            while not self._closed:
                await self._turn()
        except (asyncio.CancelledError, QueueClosed):
            self.ended.set_result(None)  # Told to end, by whoever cancelled or by the broker's close.
        except Exception as error:
            self.ended.set_exception(error)  # For who holds the subscription; asyncio reports it when nobody asks.
        else:
            self.ended.set_result(None)

    async def _turn(self) -> None:
        if not self.credit:
            self._granted.clear()
            await self._granted.wait()
        deliveries = await self._take(min(self.credit, SHARE_MAX))
        if not deliveries:
            return
        self.credit -= len(deliveries)
        try:
            await self._deliver(deliveries)
        except BaseException:
            await self._give_back(deliveries)
            raise
        await asyncio.sleep(0)  # The others' turn, also where neither store nor `deliver` ever suspends.

"""Push subscriptions: what a member of a group is given is handed to a callback. For doors that push."""

import asyncio
from collections.abc import Awaitable, Callable

from crossdock.core.model import Delivery

from .member import Member

Deliver = Callable[[list[Delivery]], Awaitable[None]]


class Subscription:
    """Made by `Broker.subscribe`, of an AsyncRuntime's broker. All methods belong to its loop's thread.

    `deliver` gets one batch at a time; while it is busy, no more than `holding.AHEAD_MAX` messages wait for it (F32).
    """

    def __init__(self, member: Member, deliver: Deliver) -> None:
        self._member = member
        self._deliver = deliver
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing is delivered any more; with the error that ended it, unless it was closed."""

    async def close(self) -> None:
        """Deliver no more, and give back at once whatever is not answered. May be called again.

        A delivery under way is cancelled. Called by `deliver` itself, it returns before that is done.
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
            await self._go_on()
        except asyncio.CancelledError:
            await self._member.close()
            self.ended.set_result(None)
        except Exception as error:
            await self._member.close()
            self.ended.set_exception(error)  # For who holds the subscription; asyncio reports it when nobody asks.
        else:
            if self._closed:  # else by the broker, which lets its members finish
                await self._member.close()
            self.ended.set_result(None)

    async def _go_on(self) -> None:
        while not self._closed and (first := await self._member.next()) is not None:
            await self._deliver([first, *iter(self._member.poll, None)])
            await asyncio.sleep(0)  # The others' turn, also where neither store nor `deliver` ever suspends.

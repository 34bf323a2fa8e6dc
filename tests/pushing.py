"""A consumer that is pushed what a member of a group is given, as doors that push do it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from crossdock.broker import Broker
from crossdock.broker.member import Member
from crossdock.core.model import Address, Delivery

Deliver = Callable[[list[Delivery]], Awaitable[None]]


class Pushing:
    """Gives `deliver` one batch at a time of what a new member is given."""

    def __init__(
        self, broker: Broker, address: Address, group: str, deliver: Deliver, prefetch: int, **options: Any
    ) -> None:
        self._member: Member = broker.join(address, group, prefetch, **options)
        self._deliver = deliver
        self._task = asyncio.create_task(self._run())
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing is delivered any more; with the error that ended it, unless it was closed."""

    async def close(self) -> None:
        """Deliver no more, and give back at once whatever is not answered. May be called again."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._member.close()
        if not self.ended.done():
            self.ended.set_result(None)

    async def _run(self) -> None:
        try:
            while (first := await self._member.next()) is not None:
                await self._deliver([first, *iter(self._member.poll, None)])
                await asyncio.sleep(0)  # The others' turn, also where neither store nor `deliver` ever suspends.
        except Exception as error:
            await self._member.close()
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)

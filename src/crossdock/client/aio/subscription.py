"""Deliveries for ever, as an asynchronous iterator."""

from collections.abc import AsyncIterator, Generator
from types import TracebackType
from typing import TYPE_CHECKING

from .. import base
from ..transport import Member
from .delivery import Delivery

if TYPE_CHECKING:
    from .queue import Queue


class Subscription:
    """A member of a group, and what it is given, one by one: by an `async for` loop, or by `anext`.

    Leaving the loop or the `async with`, `close` and the connection's close end it, and give back at once what was not
    answered. Over a store in this process, a lease that ends frees its place. Another task may close it.
    """

    def __init__(self, queue: "Queue", joining: base.Joining) -> None:
        self._queue = queue
        self._joining = joining
        self._member: Member | None = None
        self._closed = False

    async def close(self) -> None:
        """Get no more deliveries, and give back those not answered. A second call does nothing."""
        self._closed = True
        if self._member is not None:
            await self._member.close()

    async def _join(self) -> None:
        if self._member is None and not self._closed:
            await self._queue.create_group()
            if not self._closed:  # else meanwhile
                self._member = self._joining.now(self._queue.transport)

    async def _take(self) -> Delivery | None:
        if self._member is None:
            await self._join()
        lease = None if self._member is None else await self._member.next()
        return None if lease is None else Delivery(lease, self._queue)

    async def __anext__(self) -> Delivery:
        delivery = await self._take()
        if delivery is None:
            raise StopAsyncIteration
        return delivery

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        async with self:
            while (delivery := await self._take()) is not None:
                yield delivery

    async def __aenter__(self) -> "Subscription":
        await self._join()
        return self

    def __await__(self) -> Generator[object, None, "Subscription"]:
        return self.__aenter__().__await__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

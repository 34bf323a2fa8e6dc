"""What all services of one listener share."""

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import TypeVar, cast

from crossdock.broker.broker import Broker
from crossdock.core.errors import QueueClosed
from crossdock.core.model import Address
from crossdock.core.policy import check_queue

T = TypeVar("T")

NAMES_KEPT = 4096


class Door:
    """The broker, the settings of the door, and the streams that wait for their clients."""

    def __init__(self, broker: Broker, default_lease: int, namespace: str) -> None:
        self.broker = broker
        self.default_lease = default_lease
        self.namespace = namespace
        self.address = lru_cache(NAMES_KEPT)(self._address)
        """The address of a queue. Raises InvalidArgument for what cannot be a name."""
        self._reading: set[asyncio.Task[object]] = set()
        self._stopping = False

    def _address(self, name: str) -> Address:
        return (self.namespace, check_queue(name))

    def stop(self) -> None:
        """End the streams whose client has nothing under way."""
        self._stopping = True
        for task in self._reading:
            task.cancel()

    async def next_of(self, requests: AsyncIterator[T]) -> T | None:
        """The next request of a stream; None when the client sends no more. Raises QueueClosed when stopped."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        if self._stopping:
            raise QueueClosed("the server is stopping")
        self._reading.add(task)
        try:
            return await anext(requests, None)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            task.uncancel()
            raise QueueClosed("the server is stopping") from None
        finally:
            self._reading.discard(task)

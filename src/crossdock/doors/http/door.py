"""What all routes of one app share."""

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache

from crossdock.broker.broker import Broker
from crossdock.broker.bucket import RateLimit
from crossdock.core.errors import QueueNotFound
from crossdock.core.model import Address, QueueStats
from crossdock.core.policy import check_queue

from ..shared.auth import ApiKey
from ..shared.request_ids import RequestIds

NAMES_KEPT = 4096
QUEUES_PER_TURN = 64


class Door:
    """The broker, the settings of the door, and who may come in."""

    def __init__(self, broker: Broker, key: ApiKey, rate: RateLimit | None, default_lease: int, namespace: str) -> None:
        self.broker = broker
        self.key = key
        self.rate = rate
        self.default_lease = default_lease
        self.namespace = namespace
        self.ids = RequestIds()
        self.address = lru_cache(NAMES_KEPT)(self._address)
        """The address of a queue. Raises InvalidArgument for what cannot be a name."""

    def _address(self, name: str) -> Address:
        return (self.namespace, check_queue(name))

    async def all_stats(self, limit: int | None = None) -> AsyncIterator[QueueStats]:
        """The stats of the queues, in order of name, letting other requests go on in between."""
        for number, name in enumerate((await self.broker.queues(self.namespace))[:limit]):
            if number % QUEUES_PER_TURN == QUEUES_PER_TURN - 1:
                await asyncio.sleep(0)
            try:
                stats = await self.broker.stats((self.namespace, name))
            except QueueNotFound:  # deleted since the list was made
                continue
            yield stats

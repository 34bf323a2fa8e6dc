"""What waits to be written to one stream. Each response takes all of it, so that a busy stream writes few of them."""

import asyncio

from crossdock.core.model import Delivery
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos import messages

from .operation import Context, write

SETTLED_MAX = 1000
"""Answers that may wait for a client that does not read."""


class Outbox:
    """Deliveries and answers on their way to a subscriber. `run` writes them, one response at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._deliveries: list[Delivery] = []
        self._settled: list[pb.Settled] = []
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._closed = False

    async def run(self) -> None:
        """Write until closed. To be left to end by itself: gRPC allows no status while a write is under way."""
        await write(self._context, pb.SubscribeResponse(started=True))
        while True:
            await self._filled.wait()
            if self._closed:
                return
            self._filled.clear()
            deliveries, self._deliveries = self._deliveries, []
            settled, self._settled = self._settled, []
            self._room.set()
            shown = [messages.delivered(each) for each in deliveries]
            await write(self._context, pb.SubscribeResponse(deliveries=shown, settled=settled))
            if not self._filled.is_set():
                self._flushed.set()

    async def room(self) -> None:
        """Wait until the deliveries put in last are on their way: a client that does not read gets no more (F32)."""
        while self._deliveries:
            await self._until_taken()

    def put(self, deliveries: list[Delivery]) -> None:
        """Send deliveries; there must be room."""
        self._deliveries = deliveries
        self._fill()

    async def tell(self, settled: pb.Settled) -> None:
        """Send an answer, once there are not too many."""
        while len(self._settled) >= SETTLED_MAX and not self._closed:
            await self._until_taken()
        self._settled.append(settled)
        self._fill()

    async def flush(self) -> None:
        """Wait until everything is on its way."""
        await self._flushed.wait()

    def withdraw(self) -> list[Delivery]:
        """Take back the deliveries that are not on their way."""
        deliveries, self._deliveries = self._deliveries, []
        return deliveries

    def close(self) -> None:
        """Write no more than is under way."""
        self._closed = True
        self._filled.set()
        self._room.set()

    def _fill(self) -> None:
        self._filled.set()
        self._flushed.clear()

    async def _until_taken(self) -> None:
        self._room.clear()
        await self._room.wait()

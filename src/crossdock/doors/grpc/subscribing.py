"""Subscribe: messages are pushed within a credit, and answered on the same stream."""

import asyncio
from collections.abc import AsyncIterator

from crossdock.broker.broker import Broker
from crossdock.broker.holding import NEVER
from crossdock.broker.member import Member
from crossdock.core.errors import InvalidArgument, QueueClosed
from crossdock.core.limits import CREDIT_MAX, check_range
from crossdock.core.model import Address, Delivery
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos import messages

from .answering import Answering
from .door import Door
from .operation import Context
from .outbox import Outbox

CREDIT = 100
"""Messages that a subscriber may have unanswered where it does not say."""
RESPONSE_BYTES = 1024 * 1024
"""Bodies that are put into one response, unless a single one is larger."""

Requests = AsyncIterator[pb.SubscribeRequest]


class Subscribing:
    """Serves the streams, and ends them when the door closes."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._open: set[Stream] = set()

    def stop(self) -> None:
        """Push no more. Each stream ends when its consumer has answered what it has."""
        for stream in self._open:
            stream.stop()

    async def subscribe(self, requests: Requests, context: Context) -> None:
        """Serve one stream until either side ends it; then give back what is not answered."""
        first = await self._door.next_of(requests)
        if first is None or not first.HasField("start"):
            raise InvalidArgument("start", None, "must be in the first request of the stream")
        start = first.start
        address, group = self._door.address(start.queue), messages.group_of(start.group)
        credit = _credit(first.credit) if first.HasField("credit") else CREDIT
        broker = self._door.broker
        await broker.create_group(address, group)
        lease = self._door.default_lease
        member = broker.join(address, group, credit or 1, start.lease, start.consumer, start.auto_ack, lease)
        member.prefetch = credit
        stream = Stream(broker, address, group, member, Outbox(context))
        self._open.add(stream)
        try:
            await stream.run(first, requests)
        finally:
            self._open.discard(stream)


class Stream:
    """One subscriber: its member of the group, and the two directions."""

    def __init__(self, broker: Broker, address: Address, group: str, member: Member, outbox: Outbox) -> None:
        self._broker = broker
        self._address = address
        self._group = group
        self._member = member
        self._outbox = outbox
        self._answering = Answering(broker, address, group, outbox)
        self._pushing: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Push no more."""
        if self._pushing is not None:
            self._pushing.cancel()

    async def run(self, first: pb.SubscribeRequest, requests: Requests) -> None:
        """Serve until the client ends the stream, or something fails; give back what is not answered.

        Raises QueueClosed once stopped.
        """
        self._pushing = pushing = asyncio.create_task(self._push())
        listening = asyncio.create_task(self._listen(first, requests))
        writing = asyncio.create_task(self._outbox.run())
        tasks = [pushing, listening, writing]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if pushing.done() and (pushing.cancelled() or pushing.exception() is None):
                tasks.append(asyncio.create_task(self._finish()))
                await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
                raise QueueClosed("the server is stopping")
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                if task is not writing:
                    task.cancel()
            await self._member.close()
            self._outbox.close()
            await asyncio.gather(*tasks, return_exceptions=True)  # What went wrong first is on its way.

    async def _push(self) -> None:
        """Hand over what the member is given; returns when the broker hands out no more."""
        while True:
            await self._outbox.room()
            delivery = await self._member.next()
            if delivery is None:
                return
            self._outbox.put(self._with_more(delivery))

    def _with_more(self, first: Delivery) -> list[Delivery]:
        """A delivery, and those that are there too, as many as a response takes."""
        deliveries = [first]
        size = len(first.message.body)
        while size < RESPONSE_BYTES and (delivery := self._member.poll()) is not None:
            deliveries.append(delivery)
            size += len(delivery.message.body)
        return deliveries

    async def _listen(self, first: pb.SubscribeRequest, requests: Requests) -> None:
        """Take answers and credit; returns when the client sends no more and has all its answers."""
        await self._settle(first)
        async for request in requests:
            if request.HasField("start"):
                raise InvalidArgument("start", request.start.queue, "must be in the first request only")
            if request.HasField("credit"):
                self._member.prefetch = _credit(request.credit)
                self._member.wake()
            await self._settle(request)
        await self._answering.drain()
        await self._outbox.flush()

    async def _settle(self, request: pb.SubscribeRequest) -> None:
        for settlement in request.settle:
            await self._answering.begin(settlement)

    async def _finish(self) -> None:
        """Give back what the consumer has not seen, and wait until it has answered the rest."""
        unseen = [*self._outbox.withdraw(), *iter(self._member.poll, None)]
        if self._member.auto_ack and unseen:
            self._outbox.put(unseen)  # They are nobody else's any more.
        else:
            await self._broker.give_back(self._address, self._group, unseen)
        while self._member.next_end(self._broker.clock.now()) != NEVER:
            self._answering.answered.clear()
            await self._answering.answered.wait()
        await self._outbox.flush()


def _credit(credit: int) -> int:
    return check_range("credit", credit, 0, CREDIT_MAX)

"""Dequeue, with long polls that end when the client goes away."""

import asyncio
from collections.abc import Awaitable

from crossdock.core.durations import to_ms
from crossdock.core.limits import check_key
from crossdock.core.model import Delivery
from crossdock.wire.json_api import Dequeue, Dequeued, DequeuedMany, Status, delivered

from .answer import Answer, done, encode
from .door import Door
from .operation import QUEUE, Operation
from .request import Call, Disconnected

NOTHING = Answer(204)
CONTENDED = done("message is being processed", 409)


class Receiving:
    """The route that hands messages out."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker
        self._default_lease = door.default_lease

    def operations(self) -> list[Operation]:
        responses = {200: Dequeued | DequeuedMany, 204: None, 409: Status}
        return [Operation("POST", QUEUE + "/dequeue", self.dequeue, "messages", responses, request=Dequeue)]

    async def dequeue(self, call: Call[Dequeue]) -> Answer:
        """Lease the next message, or several.

        204: there is none for the group. 409: other consumers of the group hold what there is.
        """
        request = call.request
        check_key("consumer_id", request.consumer_id)
        wait = to_ms("wait", request.wait) if request.wait else 0
        receive = self._broker.receive(
            call.address,
            request.group,
            1 if request.limit is None else request.limit,
            to_ms("lease", request.lease) if request.lease else 0,
            wait,
            request.consumer_id,
            request.auto_ack,
            self._default_lease,
        )
        deliveries = await (_unless_gone(call, receive) if wait else receive)
        if not deliveries:
            return await self._nothing(call)
        if request.limit is None:
            return Answer(200, encode(Dequeued("dequeued", delivered(deliveries[0]))))
        return Answer(200, encode(DequeuedMany("dequeued", [delivered(each) for each in deliveries])))

    async def _nothing(self, call: Call[Dequeue]) -> Answer:
        """Why there was nothing: whether others of the group hold what there is."""
        group = (await self._broker.stats(call.address)).groups.get(call.request.group)
        return CONTENDED if group is not None and group.leased else NOTHING


async def _unless_gone(call: Call[Dequeue], step: Awaitable[list[Delivery]]) -> list[Delivery]:
    """Await `step`, but cancel it when the client disconnects: nobody would see what it gets. Raises Disconnected."""
    receiving = asyncio.ensure_future(step)
    gone = asyncio.ensure_future(call.receive())
    try:
        await asyncio.wait((receiving, gone), return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            raise Disconnected
        return receiving.result()
    finally:
        receiving.cancel()
        gone.cancel()

"""Dequeue. When the client goes away a long poll ends, and what it would have got is given back (F10)."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from functools import partial

from crossdock.core.durations import to_ms
from crossdock.core.errors import CrossdockError
from crossdock.core.limits import check_key
from crossdock.core.model import Address, Delivery
from crossdock.wire.json_api import Dequeue, Dequeued, DequeuedMany, Status, delivered

from .answer import Answer, done, encode
from .door import Door
from .operation import QUEUE, Operation
from .request import Call, Disconnected

NOTHING = Answer(204)
CONTENDED = done("message is being processed", 409)

_log = logging.getLogger("crossdock.http")


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
            body = encode(Dequeued("dequeued", delivered(deliveries[0])))
        else:
            body = encode(DequeuedMany("dequeued", [delivered(each) for each in deliveries]))
        undo = None if request.auto_ack else partial(self._give_back, call.address, request.group, deliveries)
        return Answer(200, body, undo=undo)

    async def _give_back(self, address: Address, group: str, deliveries: Sequence[Delivery]) -> None:
        """Return leases that the client went away from."""
        try:
            await self._broker.nack(address, group, deliveries, delay=0)
        except CrossdockError as error:  # The leases end by themselves, and nobody is left to be told.
            _log.warning("leases of a client that is gone were not given back: %s", error)

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

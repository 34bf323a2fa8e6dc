"""messagequeue.MessageQueue: payloads in and out of one queue. A message that is handed out is gone (at most once)."""

from collections.abc import AsyncIterator

from crossdock.core.errors import InvalidArgument, MessageExpired, QueueFull, QueueNotFound
from crossdock.core.model import DEFAULT_GROUP, Address, Plain
from crossdock.wire.protos import messagequeue_pb2 as pb

from .door import Door
from .operation import Context, Operation, Service, write

QUEUE = "default"
EMPTY = "queue is empty"
REFUSALS = (InvalidArgument, MessageExpired, QueueFull, QueueNotFound)
"""What is told in a response; everything else is the status of the call."""


class MessageQueue:
    """The service as the QuickPulse contract has it."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker
        self._next_of = door.next_of
        self._address: Address = (door.namespace, QUEUE)

    async def open(self) -> None:
        """Make sure of the queue."""
        await self._broker.create_queue(self._address)

    def service(self) -> Service:
        return Service(
            "messagequeue.MessageQueue",
            [
                Operation("Produce", self.produce, pb.ProduceRequest, pb.ProduceResponse),
                Operation("Consume", self.consume, pb.ConsumeRequest, pb.ConsumeResponse),
                Operation("StreamMessages", self.stream_messages, pb.StreamMessage, pb.StreamMessage, streaming=True),
            ],
        )

    async def produce(self, request: pb.ProduceRequest) -> pb.ProduceResponse:
        try:
            await self._broker.send(self._address, [Plain(request.payload)])
        except REFUSALS as error:
            return pb.ProduceResponse(error=str(error))
        return pb.ProduceResponse(success=True)

    async def consume(self, request: pb.ConsumeRequest) -> pb.ConsumeResponse:
        try:
            payload = await self._next()
        except REFUSALS as error:
            return pb.ConsumeResponse(error=str(error))
        return pb.ConsumeResponse(error=EMPTY) if payload is None else pb.ConsumeResponse(payload=payload)

    async def stream_messages(self, requests: AsyncIterator[pb.StreamMessage], context: Context) -> None:
        while (request := await self._next_of(requests)) is not None:
            try:
                await self._broker.send(self._address, [Plain(request.payload)])
                payload = await self._next()
            except REFUSALS as error:
                await write(context, pb.StreamMessage(error=str(error)))
            else:
                response = pb.StreamMessage(error=EMPTY) if payload is None else pb.StreamMessage(payload=payload)
                await write(context, response)

    async def _next(self) -> bytes | None:
        """Take the next message; None when there is none."""
        deliveries = await self._broker.receive(self._address, DEFAULT_GROUP, auto_ack=True)
        return deliveries[0].message.body if deliveries else None

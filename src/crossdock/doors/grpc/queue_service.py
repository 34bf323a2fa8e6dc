"""queue.v1.QueueService: one message at a time, as text."""

from collections.abc import Awaitable, Callable
from typing import Any

from grpc import StatusCode

from crossdock.core.errors import Failures, InvalidArgument, LeaseLost, QueueClosed
from crossdock.core.limits import ID_MAX, LEASE_MS_MAX, check_key, check_name, check_range
from crossdock.core.model import Receipt
from crossdock.wire.protos import bodies
from crossdock.wire.protos import queue_pb2 as pb

from .door import Door
from .errors import Refused
from .operation import Operation, Service, Unary

EMPTY = (StatusCode.NOT_FOUND, "queue is empty")
CONTENDED = (StatusCode.ABORTED, "message is being processed")
FIELDS = {"body": "message", "dedup_id": "deduplication_id", "queue": "queue_name"}
"""Fields that the service calls otherwise than the broker does."""

Verb = Callable[[Receipt], Awaitable[Failures]]


class QueueService:
    """The service as the Mini contract has it. Peek, Status and HealthCheck are for everybody."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._broker = door.broker

    def service(self) -> Service:
        return Service(
            "queue.v1.QueueService",
            [
                self._public("HealthCheck", self.health_check, pb.EmptyRequest, pb.HealthResponse),
                self._protected("CreateQueue", self.create_queue, pb.CreateQueueRequest, pb.CreateQueueResponse),
                self._protected("DeleteQueue", self.delete_queue, pb.DeleteQueueRequest, pb.DeleteQueueResponse),
                self._protected("Enqueue", self.enqueue, pb.EnqueueRequest, pb.EnqueueResponse),
                self._protected("EnqueueBatch", self.enqueue_batch, pb.EnqueueBatchRequest, pb.EnqueueBatchResponse),
                self._protected("Dequeue", self.dequeue, pb.DequeueRequest, pb.DequeueResponse),
                self._protected("Ack", self.ack, pb.AckRequest, pb.AckResponse),
                self._protected("Nack", self.nack, pb.NackRequest, pb.NackResponse),
                self._public("Peek", self.peek, pb.PeekRequest, pb.PeekResponse),
                self._protected("Renew", self.renew, pb.RenewRequest, pb.RenewResponse),
                self._public("Status", self.status, pb.StatusRequest, pb.StatusResponse),
            ],
        )

    @staticmethod
    def _protected(name: str, handle: Unary, request: type[Any], response: type[Any]) -> Operation:
        return Operation(name, _with_own_names(handle), request, response)

    @staticmethod
    def _public(name: str, handle: Unary, request: type[Any], response: type[Any]) -> Operation:
        return Operation(name, _with_own_names(handle), request, response, protected=False)

    async def health_check(self, request: pb.EmptyRequest) -> pb.HealthResponse:
        if self._broker.room.closed:
            raise QueueClosed("the server is stopping")
        return pb.HealthResponse(status="ok")

    async def create_queue(self, request: pb.CreateQueueRequest) -> pb.CreateQueueResponse:
        await self._broker.create_queue(self._door.address(request.queue_name))
        return pb.CreateQueueResponse(status="created")

    async def delete_queue(self, request: pb.DeleteQueueRequest) -> pb.DeleteQueueResponse:
        await self._broker.delete_queue(self._door.address(request.queue_name))
        return pb.DeleteQueueResponse(status="deleted")

    async def enqueue(self, request: pb.EnqueueRequest) -> pb.EnqueueResponse:
        result = await self._broker.send(self._door.address(request.queue_name), [bodies.message_of(request)])
        if result.duplicates:
            raise Refused(StatusCode.ALREADY_EXISTS, f"duplicate message, the first one is {result.ids[0]}")
        return pb.EnqueueResponse(
            status="enqueued", queue_name=request.queue_name, message=request.message, id=result.ids[0]
        )

    async def enqueue_batch(self, request: pb.EnqueueBatchRequest) -> pb.EnqueueBatchResponse:
        messages = [bodies.plain(text) for text in request.messages]
        ids = (await self._broker.send(self._door.address(request.queue_name), messages)).ids
        return pb.EnqueueBatchResponse(
            status="enqueued", queue_name=request.queue_name, success_count=len(ids), ids=ids
        )

    async def dequeue(self, request: pb.DequeueRequest) -> pb.DequeueResponse:
        address = self._door.address(request.queue_name)
        deliveries = await self._broker.receive(
            address,
            request.group,
            1,
            bodies.duration("lease", request.lease),
            bodies.duration("wait", request.wait),
            check_key("consumer_id", request.consumer_id),
            request.auto_ack,
            self._door.default_lease,
        )
        if not deliveries:
            group = (await self._broker.stats(address)).groups.get(request.group)
            raise Refused(*(CONTENDED if group is not None and group.leased else EMPTY))
        return pb.DequeueResponse(status="dequeued", message=bodies.delivered(deliveries[0]))

    async def ack(self, request: pb.AckRequest) -> pb.AckResponse:
        address = self._door.address(request.queue_name)
        await self._settle(request, lambda receipt: self._broker.ack(address, request.group, [receipt]))
        return pb.AckResponse(status="ack ok")

    async def nack(self, request: pb.NackRequest) -> pb.NackResponse:
        address = self._door.address(request.queue_name)
        delay = bodies.duration("delay", request.delay) if request.HasField("delay") else None
        await self._settle(
            request, lambda receipt: self._broker.nack(address, request.group, [receipt], delay, request.error)
        )
        return pb.NackResponse(status="nack ok")

    async def renew(self, request: pb.RenewRequest) -> pb.RenewResponse:
        address = self._door.address(request.queue_name)
        lease = 1000 * check_range("extend_sec", request.extend_sec, 1, LEASE_MS_MAX // 1000, " seconds")
        await self._settle(request, lambda receipt: self._broker.extend(address, request.group, [receipt], lease))
        return pb.RenewResponse(status="renewed")

    async def _settle(self, request: bodies.Settling, verb: Verb) -> None:
        """Answer one delivery. Raises LeaseLost, MessageNotFound."""
        check_name("group", request.group)
        check_range("message_id", request.message_id, 1, ID_MAX)
        receipt = bodies.receipt_of(request)
        if receipt is None:  # No delivery of the message had it.
            await self._broker.message(self._door.address(request.queue_name), request.message_id)
            raise LeaseLost(request.message_id)
        for error in (await verb(receipt)).values():
            raise error

    async def peek(self, request: pb.PeekRequest) -> pb.PeekResponse:
        peeked = await self._broker.peek(self._door.address(request.queue_name), request.group)
        if not peeked:
            raise Refused(*EMPTY)
        return pb.PeekResponse(status="ok", message=bodies.shown(peeked[0].message))

    async def status(self, request: pb.StatusRequest) -> pb.StatusResponse:
        stats = await self._broker.stats(self._door.address(request.queue_name))
        queue_type = "memory" if self._broker.store.abilities.level == "memory" else "file"
        return pb.StatusResponse(status="ok", queue_status=bodies.status_of(stats, queue_type))


def _with_own_names(handle: Unary) -> Unary:
    """A method whose errors have the names that the service has for its fields."""

    async def handled(request: Any) -> Any:
        try:
            return await handle(request)
        except InvalidArgument as error:
            error.field = FIELDS.get(error.field, error.field)
            raise

    return handled

"""crossdock.v1.Broker: every verb of the broker."""

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import check_name
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos import messages, queues

from .door import Door
from .operation import Operation, Service
from .settling import settle
from .subscribing import Subscribing


class BrokerService:
    """The service; all of it is protected."""

    def __init__(self, door: Door, subscribing: Subscribing) -> None:
        self._broker = door.broker
        self._address = door.address
        self._namespace = door.namespace
        self._default_lease = door.default_lease
        self._subscribing = subscribing

    def service(self) -> Service:
        subscribe = self._subscribing.subscribe
        return Service(
            "crossdock.v1.Broker",
            [
                Operation("Send", self.send, pb.SendRequest, pb.SendResponse),
                Operation("Receive", self.receive, pb.ReceiveRequest, pb.ReceiveResponse),
                Operation("Settle", self.settle, pb.SettleRequest, pb.SettleResponse),
                Operation("Subscribe", subscribe, pb.SubscribeRequest, pb.SubscribeResponse, streaming=True),
                Operation("CreateQueue", self.create_queue, pb.QueueSettings, pb.Created),
                Operation("UpdateQueue", self.update_queue, pb.QueueSettings, pb.Done),
                Operation("DeleteQueue", self.delete_queue, pb.QueueName, pb.Done),
                Operation("ListQueues", self.list_queues, pb.ListQueuesRequest, pb.QueueNames),
                Operation("GetStats", self.get_stats, pb.QueueName, pb.Stats),
                Operation("CreateGroup", self.create_group, pb.GroupName, pb.Created),
                Operation("DeleteGroup", self.delete_group, pb.GroupName, pb.Deleted),
                Operation("Peek", self.peek, pb.PeekRequest, pb.PeekedMessages),
                Operation("Browse", self.browse, pb.BrowseRequest, pb.PeekedMessages),
                Operation("GetMessage", self.get_message, pb.GetMessageRequest, pb.Message),
                Operation("DeleteMessages", self.delete_messages, pb.MessageIds, pb.Count),
                Operation("Redrive", self.redrive, pb.MessageIds, pb.Count),
            ],
        )

    # Messages

    async def send(self, request: pb.SendRequest) -> pb.SendResponse:
        to_send = messages.to_send
        result = await self._broker.send(self._address(request.queue), [to_send(each) for each in request.messages])
        return pb.SendResponse(ids=result.ids, duplicates=result.duplicates)

    async def receive(self, request: pb.ReceiveRequest) -> pb.ReceiveResponse:
        deliveries = await self._broker.receive(
            self._address(request.queue),
            messages.group_of(request.group),
            request.limit or 1,
            request.lease,
            request.wait,
            request.consumer,
            request.auto_ack,
            self._default_lease,
        )
        return pb.ReceiveResponse(deliveries=[messages.delivered(each) for each in deliveries])

    async def settle(self, request: pb.SettleRequest) -> pb.SettleResponse:
        settlement = request.settlement
        group = check_name("group", messages.group_of(request.group))
        receipts = messages.receipts_of(settlement.receipts)
        failures = await settle(self._broker, self._address(request.queue), group, receipts, settlement)
        return pb.SettleResponse(settled=messages.settled(settlement.tag, receipts, failures))

    # Queues and groups

    async def create_queue(self, request: pb.QueueSettings) -> pb.Created:
        settings = queues.settings_of(request.settings)
        return pb.Created(created=await self._broker.create_queue(self._address(request.queue), settings))

    async def update_queue(self, request: pb.QueueSettings) -> pb.Done:
        await self._broker.update_queue(self._address(request.queue), queues.settings_of(request.settings))
        return pb.Done()

    async def delete_queue(self, request: pb.QueueName) -> pb.Done:
        await self._broker.delete_queue(self._address(request.queue))
        return pb.Done()

    async def list_queues(self, request: pb.ListQueuesRequest) -> pb.QueueNames:
        return pb.QueueNames(queues=await self._broker.queues(self._namespace))

    async def get_stats(self, request: pb.QueueName) -> pb.Stats:
        return queues.stats_shown(await self._broker.stats(self._address(request.queue)))

    async def create_group(self, request: pb.GroupName) -> pb.Created:
        group = messages.group_of(request.group)
        return pb.Created(created=await self._broker.create_group(self._address(request.queue), group))

    async def delete_group(self, request: pb.GroupName) -> pb.Deleted:
        group = check_name("group", messages.group_of(request.group))
        return pb.Deleted(deleted=await self._broker.delete_group(self._address(request.queue), group))

    # Looking

    async def peek(self, request: pb.PeekRequest) -> pb.PeekedMessages:
        group = messages.group_of(request.group)
        return queues.peeked_shown(await self._broker.peek(self._address(request.queue), group, request.limit or 1))

    async def browse(self, request: pb.BrowseRequest) -> pb.PeekedMessages:
        found = await self._broker.browse(
            self._address(request.queue),
            messages.group_of(request.group),
            request.limit or 100,
            request.after,
            request.descending,
            queues.state_of(request.state),
        )
        return queues.peeked_shown(found)

    async def get_message(self, request: pb.GetMessageRequest) -> pb.Message:
        return messages.stored(await self._broker.message(self._address(request.queue), request.id))

    # Removing and moving

    async def delete_messages(self, request: pb.MessageIds) -> pb.Count:
        return pb.Count(count=await self._broker.delete_messages(self._address(request.queue), _ids(request)))

    async def redrive(self, request: pb.MessageIds) -> pb.Count:
        return pb.Count(count=await self._broker.redrive(self._address(request.queue), _ids(request)))


def _ids(request: pb.MessageIds) -> list[int] | None:
    """The messages that a request names; None: all."""
    if request.all and request.ids:
        raise InvalidArgument("ids", f"{len(request.ids)} ids", "must not be given together with all")
    return None if request.all else list(request.ids)

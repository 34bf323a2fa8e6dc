"""The verbs of a broker elsewhere, through its gRPC door."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from google.protobuf.message import Message as Proto

from crossdock.broker import AsyncRuntime, checks
from crossdock.core.errors import Failures
from crossdock.core.ids import receipt_text
from crossdock.core.limits import (
    CREDIT_MAX,
    DEFAULT_LEASE_MS,
    ID_MAX,
    PEEK_MESSAGES_MAX,
    check_name,
    check_range,
)
from crossdock.core.model import (
    DEFAULT_GROUP,
    Address,
    Delivery,
    Message,
    Peeked,
    QueueStats,
    Receipt,
    SendResult,
    Settings,
    State,
)
from crossdock.wire.json_api import Problem
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos import messages as translate
from crossdock.wire.protos import queues

from .grpc_connection import GrpcConnection
from .grpc_feed import GrpcFeed
from .http_errors import problem_error, receipt_error
from .pushed_member import PushedMember
from .remote import RemoteTransport
from .remote_member import RemoteMember

R = TypeVar("R", bound=Proto)


class GrpcTransport(RemoteTransport):
    """See `client.transport.Transport`: calls of crossdock.v1.Broker over one connection, which comes back by itself.

    To be used in one event loop. Every verb raises StoreUnavailable when the server does not answer, AccessDenied for a
    wrong key. What a member was given is answered over its own stream.
    """

    _protocol = "gRPC"

    def __init__(self, url: str, api_key: str | None = None) -> None:
        super().__init__()
        self._grpc = GrpcConnection(url, api_key)
        self._feeds: dict[tuple[Address, str], GrpcFeed] = {}
        """One of the feeds of each group that has members here: it takes answers for all of them."""

    async def open(self) -> "GrpcTransport":
        """Make ready for calls. Whether the server answers shows at the first one."""
        self._random = AsyncRuntime().random
        self._grpc.open()
        return self

    async def _disconnect(self) -> None:
        await self._grpc.close()

    # Messages

    async def send(self, address: Address, messages: Sequence[Message]) -> SendResult:
        self._check_open()
        checks.check_messages(messages)
        request = pb.SendRequest(queue=self._queue(address), messages=map(translate.sent, messages))
        stored = await self._call("Send", request, pb.SendResponse, address)
        return SendResult(list(stored.ids), list(stored.duplicates))

    async def receive(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 1,
        lease: int = 0,
        wait: int = 0,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> list[Delivery]:
        """Where neither call nor queue says a lease, the server's default counts, not `default_lease`."""
        self._check_open()
        checks.check_receive(group, limit, lease, wait, consumer)
        request = pb.ReceiveRequest(
            queue=self._queue(address),
            group=group,
            limit=limit,
            lease=lease,
            wait=wait,
            consumer=consumer,
            auto_ack=auto_ack,
        )
        call = self._grpc.call("Receive", request, pb.ReceiveResponse, address[1], wait=wait)
        received = await self._polls.run(call)
        return [] if received is None else [translate.delivery_of(each, consumer) for each in received.deliveries]

    def join(
        self, address: Address, group: str, prefetch: int, lease: int = 0, consumer: str = "", auto_ack: bool = False
    ) -> RemoteMember:
        """See PushedMember."""
        self._check_open()
        check_range("prefetch", prefetch, 1, CREDIT_MAX)
        checks.check_receive(group, 1, lease, 0, consumer)
        start = pb.SubscribeRequest.Start(queue=self._queue(address), group=group, consumer=consumer, lease=lease)

        def closed(member: RemoteMember) -> None:
            self._members.discard(member)
            if self._feeds.get((address, group)) is feed:
                del self._feeds[address, group]

        member = PushedMember(prefetch, auto_ack, partial(self.ack, address, group), closed)
        request = pb.SubscribeRequest(start=start, credit=prefetch)
        member.feed = feed = GrpcFeed(self._grpc, request, self._random, member.arrived, member.lost)
        self._members.add(member)
        self._feeds.setdefault((address, group), feed)
        return member

    async def ack(self, address: Address, group: str, receipts: Sequence[Receipt]) -> Failures:
        checks.check_batch("receipts", len(receipts))
        return await self._settle(address, group, receipts, pb.Settlement(ack=pb.Ack()))

    async def nack(
        self, address: Address, group: str, receipts: Sequence[Receipt], delay: int | None = None, error: str = ""
    ) -> Failures:
        checks.check_nack(len(receipts), delay)
        how = pb.Nack(delay=delay, error=checks.cut_error(error))
        return await self._settle(address, group, receipts, pb.Settlement(nack=how))

    async def reject(self, address: Address, group: str, receipts: Sequence[Receipt], error: str = "") -> Failures:
        checks.check_batch("receipts", len(receipts))
        how = pb.Reject(error=checks.cut_error(error))
        return await self._settle(address, group, receipts, pb.Settlement(reject=how))

    async def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int) -> Failures:
        checks.check_extend(len(receipts), lease)
        return await self._settle(address, group, receipts, pb.Settlement(extend=pb.Extend(lease=lease)))

    async def _settle(
        self, address: Address, group: str, receipts: Sequence[Receipt], settlement: pb.Settlement
    ) -> Failures:
        queue, ends = self._queue(address), settlement.WhichOneof("how") != "extend"
        settlement.receipts.extend(map(receipt_text, receipts))
        feed = self._feeds.get((address, check_name("group", group)))
        try:
            if feed is not None and feed.open:
                settled = await feed.settle(settlement)
            else:
                request = pb.SettleRequest(queue=queue, group=group, settlement=settlement)
                settled = (await self._call("Settle", request, pb.SettleResponse, address)).settled
        finally:
            if ends:
                self._members.answered(receipts)
        if settled.HasField("problem"):
            raise problem_error(Problem(settled.problem.error, settled.problem.code), queue, 0)
        return {each.index: receipt_error(each.code, each.message_id) for each in settled.failures}

    # Queues and groups

    async def create_queue(self, address: Address, settings: Settings | None = None) -> bool:
        request = self._settings(address, settings or Settings())
        return (await self._call("CreateQueue", request, pb.Created, address)).created

    async def update_queue(self, address: Address, settings: Settings) -> None:
        await self._call("UpdateQueue", self._settings(address, settings), pb.Done, address)

    async def delete_queue(self, address: Address) -> None:
        await self._call("DeleteQueue", pb.QueueName(queue=self._queue(address)), pb.Done, address)

    async def queues(self, namespace: str) -> list[str]:
        self._check_namespace(namespace)
        return list((await self._grpc.call("ListQueues", pb.ListQueuesRequest(), pb.QueueNames)).queues)

    async def stats(self, address: Address) -> QueueStats:
        return queues.stats_of(
            await self._call("GetStats", pb.QueueName(queue=self._queue(address)), pb.Stats, address)
        )

    async def create_group(self, address: Address, group: str) -> bool:
        request = pb.GroupName(queue=self._queue(address), group=check_name("group", group))
        return (await self._call("CreateGroup", request, pb.Created, address)).created

    async def delete_group(self, address: Address, group: str) -> bool:
        request = pb.GroupName(queue=self._queue(address), group=check_name("group", group))
        return (await self._call("DeleteGroup", request, pb.Deleted, address)).deleted

    # Looking

    async def peek(self, address: Address, group: str = DEFAULT_GROUP, limit: int = 1) -> list[Peeked]:
        check_range("limit", limit, 1, PEEK_MESSAGES_MAX)
        request = pb.PeekRequest(queue=self._queue(address), group=check_name("group", group), limit=limit)
        return queues.peeked_of(await self._call("Peek", request, pb.PeekedMessages, address))

    async def browse(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 100,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]:
        request = pb.BrowseRequest(
            queue=self._queue(address),
            group=check_name("group", group),
            limit=check_range("limit", limit, 1, PEEK_MESSAGES_MAX),
            after=check_range("after", after, 0, ID_MAX),
            descending=descending,
            state=state or "",
        )
        return queues.peeked_of(await self._call("Browse", request, pb.PeekedMessages, address))

    async def message(self, address: Address, message_id: int) -> Message:
        check_range("message_id", message_id, 1, ID_MAX)
        request = pb.GetMessageRequest(queue=self._queue(address), id=message_id)
        return translate.message_of(await self._grpc.call("GetMessage", request, pb.Message, address[1], message_id))

    # Removing and moving

    async def delete_messages(self, address: Address, ids: Sequence[int] | None = None) -> int:
        return (await self._call("DeleteMessages", self._ids(address, ids), pb.Count, address)).count

    async def redrive(self, address: Address, ids: Sequence[int] | None = None) -> int:
        return (await self._call("Redrive", self._ids(address, ids), pb.Count, address)).count

    async def _call(self, method: str, request: Proto, response: type[R], address: Address) -> R:
        return await self._grpc.call(method, request, response, address[1])

    def _settings(self, address: Address, settings: Settings) -> pb.QueueSettings:
        checks.check_settings(settings)
        return pb.QueueSettings(queue=self._queue(address), settings=queues.settings_told(settings))

    def _ids(self, address: Address, ids: Sequence[int] | None) -> pb.MessageIds:
        if ids is None:
            return pb.MessageIds(queue=self._queue(address), all=True)
        checks.check_ids(ids)
        return pb.MessageIds(queue=self._queue(address), ids=ids)

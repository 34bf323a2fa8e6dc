"""The verbs of a broker elsewhere, through its HTTP door."""

from base64 import b64encode
from collections.abc import Awaitable, Sequence
from typing import Literal

from msgspec import Raw

from crossdock.core.errors import Failures
from crossdock.core.ids import parse_receipt, receipt_text
from crossdock.core.limits import CREDIT_MAX, DEFAULT_LEASE_MS, check_range
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
from crossdock.wire import json_api as api
from crossdock.wire import json_api_looking as looking
from crossdock.wire import json_api_queues as queues
from crossdock.wire.json_api_bodies import body_of

from .base import SUBSCRIBE_WAIT_MS
from .http_connection import HttpConnection, Reply
from .http_errors import receipt_error
from .http_member import HttpMember
from .remote import RemoteTransport
from .remote_member import RemoteMember

ANONYMOUS = "anonymous"
"""The consumer that the server is told of where the caller names none."""


class HttpTransport(RemoteTransport):
    """See `client.transport.Transport`. Bodies travel in base64, so that their bytes arrive as they are.

    To be used in one event loop. Every verb raises StoreUnavailable when the server does not answer, AccessDenied for a
    wrong key, RateLimited.
    """

    _protocol = "HTTP"
    _connection_to: type[HttpConnection] = HttpConnection

    def __init__(self, url: str, api_key: str | None = None) -> None:
        super().__init__()
        self._http = self._connection_to(url, api_key)

    async def open(self) -> "HttpTransport":
        """Make ready for requests. Whether the server answers shows at the first one."""
        self._http.open()
        return self

    async def _disconnect(self) -> None:
        await self._http.close()

    # Messages

    async def send(self, address: Address, messages: Sequence[Message]) -> SendResult:
        self._check_open()
        request = api.EnqueueBatch([_enqueue(message) for message in messages], "allOrNothing")
        stored = (await self._post(address, "/enqueue/batch", request)).read(api.BatchEnqueued)
        return SendResult(stored.ids, stored.duplicates)

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
        return await self._polls.run(self._dequeue(address, group, limit, lease, wait, consumer, auto_ack)) or []

    async def _dequeue(
        self, address: Address, group: str, limit: int, lease: int, wait: int, consumer: str, auto_ack: bool
    ) -> list[Delivery]:
        request = api.Dequeue(group, consumer or ANONYMOUS, limit, _ms(lease), _ms(wait), auto_ack)
        reply = await self._http.call(
            "POST", f"{self._path(address)}/dequeue", request, queue=address[1], wait=wait, expected=(409,)
        )
        if reply.status != 200:  # 204: there is nothing. 409: others of the group have it.
            return []
        return [delivery_of(each, consumer) for each in reply.read(api.DequeuedMany).messages]

    def join(
        self, address: Address, group: str, prefetch: int, lease: int = 0, consumer: str = "", auto_ack: bool = False
    ) -> RemoteMember:
        """See HttpMember: the messages that other members wait for are not shared out one by one."""
        check_range("prefetch", prefetch, 1, CREDIT_MAX)

        def receive(limit: int) -> Awaitable[list[Delivery]]:
            return self._dequeue(address, group, limit, lease, SUBSCRIBE_WAIT_MS, consumer, auto_ack)

        def give_back(deliveries: Sequence[Delivery]) -> Awaitable[object]:
            return self.nack(address, group, deliveries, 0)

        return self._keep(HttpMember(prefetch, auto_ack, receive, give_back, self._members.discard))

    async def ack(self, address: Address, group: str, receipts: Sequence[Receipt]) -> Failures:
        return await self._answer(receipts, address, "/ack/batch", api.SettleBatch(group, _refs(receipts)))

    async def nack(
        self, address: Address, group: str, receipts: Sequence[Receipt], delay: int | None = None, error: str = ""
    ) -> Failures:
        request = api.NackBatch(group, _refs(receipts), None if delay is None else _ms(delay), error)
        return await self._answer(receipts, address, "/nack/batch", request)

    async def reject(self, address: Address, group: str, receipts: Sequence[Receipt], error: str = "") -> Failures:
        return await self._answer(receipts, address, "/reject/batch", api.RejectBatch(group, _refs(receipts), error))

    async def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int) -> Failures:
        return await self._settle(address, "/renew/batch", api.RenewBatch(group, _refs(receipts), lease / 1000))

    async def _answer(
        self, receipts: Sequence[Receipt], address: Address, path: str, request: api.SettleBatch
    ) -> Failures:
        try:
            return await self._settle(address, path, request)
        finally:
            self._members.answered(receipts)

    async def _settle(self, address: Address, path: str, request: api.SettleBatch) -> Failures:
        settled = (await self._post(address, path, request)).read(api.BatchSettled)
        return {each.index: receipt_error(each.code, each.message_id) for each in settled.failed_messages}

    # Queues and groups

    async def create_queue(self, address: Address, settings: Settings | None = None) -> bool:
        return _created(await self._post(address, "/create", queues.settings_shown(settings or Settings())))

    async def update_queue(self, address: Address, settings: Settings) -> None:
        body = queues.settings_shown(settings)
        await self._http.call("PUT", f"{self._path(address)}/settings", body, queue=address[1])

    async def delete_queue(self, address: Address) -> None:
        await self._http.call("DELETE", f"{self._path(address)}/delete", queue=address[1])

    async def queues(self, namespace: str) -> list[str]:
        self._check_namespace(namespace)
        return (await self._http.call("GET", "/queues")).read(queues.QueueNames).queues

    async def stats(self, address: Address) -> QueueStats:
        reply = await self._http.call("GET", f"{self._path(address)}/stats", queue=address[1])
        return queues.stats_of(reply.read(queues.StatsShown).stats)

    async def create_group(self, address: Address, group: str) -> bool:
        return _created(await self._post(address, "/groups/create", queues.GroupName(group)))

    async def delete_group(self, address: Address, group: str) -> bool:
        try:
            await self._post(address, "/groups/delete", queues.GroupName(group))
        except queues.GroupNotFound:
            return False
        return True

    # Looking

    async def peek(self, address: Address, group: str = DEFAULT_GROUP, limit: int = 1) -> list[Peeked]:
        return await self._browse(address, looking.Browse(group, limit, order="delivery"))

    async def browse(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 100,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]:
        order: Literal["asc", "desc"] = "desc" if descending else "asc"
        return await self._browse(address, looking.Browse(group, limit, after, order, state))

    async def _browse(self, address: Address, request: looking.Browse) -> list[Peeked]:
        found = (await self._post(address, "/browse", request)).read(looking.PeekedMany).messages
        return [
            Peeked(_message(each), each.state or "ready", each.attempts, each.due, each.consumer_id, each.error)
            for each in found
        ]

    async def message(self, address: Address, message_id: int) -> Message:
        path = f"/queues{self._path(address)}/messages/{message_id}"
        reply = await self._http.call("GET", path, queue=address[1], message_id=message_id)
        return _message(reply.read(looking.PeekedOne).message)

    # Removing and moving

    async def delete_messages(self, address: Address, ids: Sequence[int] | None = None) -> int:
        if ids is None:
            return (await self._post(address, "/purge")).read(queues.Counted).count
        if not ids:
            return 0
        request = queues.SomeMessageIds(list(ids))
        return (await self._post(address, "/messages/delete", request)).read(queues.Counted).count

    async def redrive(self, address: Address, ids: Sequence[int] | None = None) -> int:
        if ids is not None and not ids:
            return 0  # To the server an empty list means all.
        request = queues.MessageIds(list(ids or ()))
        return (await self._post(address, "/redrive", request)).read(queues.Counted).count

    async def _post(self, address: Address, path: str, request: object = None) -> Reply:
        return await self._http.call("POST", self._path(address) + path, request, queue=address[1])

    def _path(self, address: Address) -> str:
        """Where the routes of a queue are. The name was checked, so that it cannot name another route."""
        return f"/{self._queue(address)}"


def _created(reply: Reply) -> bool:
    return reply.headers.get("x-created") == "true"


def _ms(duration: int) -> str | int:
    return f"{duration}ms" if duration else 0


def _enqueue(message: Message) -> api.Enqueue:
    return api.Enqueue(
        Raw(b'"' + b64encode(message.body) + b'"'),
        "base64",
        _ms(message.delay),
        message.dedup_id,
        message.priority,
        _ms(message.ttl),
        message.ordering_key,
        message.headers,
        message.deliver_at,
    )


def _refs(receipts: Sequence[Receipt]) -> list[api.ReceiptRef]:
    return [api.ReceiptRef(receipt.id, receipt_text(receipt)) for receipt in receipts]


def delivery_of(told: api.Delivered, consumer: str) -> Delivery:
    """A delivery as a response shows it, made whole again."""
    receipt = parse_receipt(told.receipt)
    return Delivery(
        receipt.id, receipt.epoch, receipt.generation, _message(told), told.attempt, told.lease_until, consumer
    )


def _message(told: api.Stored) -> Message:
    return Message(
        body_of(told.payload, told.encoding),
        told.headers,
        told.priority,
        dedup_id=told.deduplication_id,
        ordering_key=told.ordering_key,
        deliver_at=told.deliver_at or told.enqueued_at,
        expires_at=told.expires_at,
        id=told.id,
        enqueued_at=told.enqueued_at,
    )

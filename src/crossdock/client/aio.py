"""The asyncio flavour: `async with crossdock.aio.connect(url) as mq`."""

from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Unpack

from crossdock.core.durations import Duration
from crossdock.core.errors import Failures, QueueClosed
from crossdock.core.model import DEFAULT_GROUP, DEFAULT_NAMESPACE, Peeked, QueueStats, Settings

from . import base
from .bodies import Body, many_to_core, to_core
from .opening import Opener, opener
from .received import Received
from .settings import Options, settings_with
from .transport import Transport


class Delivery(Received, gc=False, eq=False):
    """One hand-out of a message. Answer it with ack, nack or reject before the lease ends."""

    queue: "Queue"

    async def ack(self) -> None:
        """The message is done. Raises LeaseLost."""
        failures = await self.queue.transport.ack(self.queue.address, self.queue.group_name, (self.lease,))
        if failures:
            raise failures[0]

    async def nack(self, delay: Duration | None = None, error: str = "") -> None:
        """Try again: after `delay`, or after the queue's backoff. Raises LeaseLost."""
        failures = await self.queue.nack((self,), delay, error)
        if failures:
            raise failures[0]

    async def reject(self, error: str = "") -> None:
        """Dead-letter the message now. Raises LeaseLost."""
        failures = await self.queue.reject((self,), error)
        if failures:
            raise failures[0]

    async def extend(self, lease: Duration) -> None:
        """Let the lease end `lease` from now. Raises LeaseLost."""
        failures = await self.queue.extend((self,), lease)
        if failures:
            raise failures[0]


class Queue(base.Handle):
    """A queue, seen from one group of readers. The queue is created by its first use when there is none."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "Connection", name: str, group: str, settings: Settings) -> None:
        super().__init__((connection.namespace, name), group, settings)
        self._connection = connection

    @property
    def transport(self) -> Transport:
        return self._connection.transport

    def group(self, name: str) -> "Queue":
        """The same queue, seen from another group."""
        return Queue(self._connection, self.name, name, self._settings)

    async def create(self) -> bool:
        """Create the queue now; False when it existed. Raises InvalidArgument."""
        created = await self.transport.create_queue(self.address, self._settings)
        self._exists = True
        return created

    async def send(
        self,
        body: Body,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        ttl: Duration | None = None,
        priority: int = 0,
        dedup_id: str | None = None,
        ordering_key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Send one message; returns its id, or the first one's when its dedup id was seen before.

        See `Message` for the options. Raises InvalidArgument, QueueFull, DedupConflict, MessageExpired.
        """
        message = to_core(body, delay, at, ttl, priority, dedup_id, ordering_key, headers)
        if not self._exists:
            await self.create()
        return (await self.transport.send(self.address, (message,))).ids[0]

    async def send_many(self, bodies: Iterable[Body]) -> list[int]:
        """Send bodies or `Message` objects, all or none; returns their ids in order."""
        messages = many_to_core(bodies)
        if not self._exists:
            await self.create()
        return (await self.transport.send(self.address, messages)).ids

    async def receive(
        self,
        max_messages: int = 1,
        *,
        lease: Duration | None = None,
        wait: Duration | None = None,
        consumer: str = "",
        auto_ack: bool = False,
    ) -> list[Delivery]:
        """Lease up to `max_messages`, waiting up to `wait` for the first. An empty list when there is none.

        With `auto_ack` a message is gone when it is handed out: at most once.
        """
        if not self._exists:
            await self.create()
        leases = await self.transport.receive(
            self.address, self.group_name, max_messages, base.lease_ms(lease), base.wait_ms(wait), consumer, auto_ack
        )
        return [Delivery(lease, self) for lease in leases]

    async def subscribe(
        self, *, prefetch: int = 1, lease: Duration | None = None, consumer: str = ""
    ) -> AsyncIterator[Delivery]:
        """Deliveries one by one, for ever; ends when the connection closes.

        Up to `prefetch` messages are leased ahead; their leases run meanwhile. Leaving the loop gives the rest back.
        """
        waiting: list[Delivery] = []
        try:
            while not self._connection.closed:
                waiting = await self.receive(
                    prefetch, lease=lease, wait=base.SUBSCRIBE_WAIT_MS / 1000, consumer=consumer
                )
                waiting.reverse()
                while waiting:
                    yield waiting.pop()
        except QueueClosed:
            return
        finally:
            if waiting and not self._connection.closed:  # else their leases end by themselves
                await self.nack(waiting, delay=0)

    async def ack(self, deliveries: Sequence[Delivery]) -> Failures:
        """Ack a batch. Returns what failed, index -> LeaseLost; empty when nothing did."""
        return await self.transport.ack(self.address, self.group_name, base.receipts(deliveries))

    async def nack(self, deliveries: Sequence[Delivery], delay: Duration | None = None, error: str = "") -> Failures:
        """Give a batch back for a later try. Returns what failed."""
        receipts = base.receipts(deliveries)
        return await self.transport.nack(self.address, self.group_name, receipts, base.delay_ms(delay), error)

    async def reject(self, deliveries: Sequence[Delivery], error: str = "") -> Failures:
        """Dead-letter a batch. Returns what failed."""
        return await self.transport.reject(self.address, self.group_name, base.receipts(deliveries), error)

    async def extend(self, deliveries: Sequence[Delivery], lease: Duration) -> Failures:
        """Let the leases of a batch end `lease` from now. Returns what failed."""
        receipts = base.receipts(deliveries)
        return await self.transport.extend(self.address, self.group_name, receipts, base.lease_ms(lease))

    async def peek(self, max_messages: int = 1) -> list[Peeked]:
        """The next messages the group would get, without effect."""
        return await self.transport.peek(self.address, self.group_name, max_messages)

    async def stats(self) -> QueueStats:
        """Counts by state, by group, and in total."""
        return await self.transport.stats(self.address)

    async def edit(self, **options: Unpack[Options]) -> None:
        """Change settings; they hold from now on. Raises InvalidArgument."""
        await self.transport.update_queue(self.address, settings_with((await self.stats()).settings, options))

    async def pause(self) -> None:
        """Hand nothing out until `resume`; sends and answers go on."""
        await self._set_paused(True)

    async def resume(self) -> None:
        """Hand messages out again."""
        await self._set_paused(False)

    async def _set_paused(self, paused: bool) -> None:
        settings = base.paused((await self.stats()).settings, paused)
        await self.transport.update_queue(self.address, settings)

    async def purge(self) -> int:
        """Delete every message, leased ones too. Returns how many."""
        return await self.transport.delete_messages(self.address)

    async def redrive(self, ids: Sequence[int] | None = None) -> int:
        """Move messages of this dead-letter queue back to where they came from. Returns how many."""
        return await self.transport.redrive(self.address, ids)

    async def delete_group(self) -> bool:
        """Delete this handle's group; False when there is none."""
        return await self.transport.delete_group(self.address, self.group_name)

    async def delete(self) -> None:
        """Delete the queue with everything in it."""
        await self.transport.delete_queue(self.address)


class Connection:
    """An open connection. Made by `connect`; use it in `async with`, or `await` it and `close` it."""

    def __init__(self, open_transport: Opener, namespace: str) -> None:
        self._open_transport = open_transport
        self._transport: Transport | None = None
        self.namespace = namespace
        self.closed = False

    @property
    def transport(self) -> Transport:
        """The verbs under the Queue objects. Raises QueueClosed before the opening and after the close."""
        if self._transport is None or self.closed:
            raise QueueClosed("the connection is not open")
        return self._transport

    def queue(self, name: str, **options: Unpack[Options]) -> Queue:
        """A queue by name; `options` are its settings if its first use creates it."""
        return Queue(self, name, DEFAULT_GROUP, settings_with(Settings(), options))

    def topic(self, name: str, **options: Unpack[Options]) -> Queue:
        """A topic by name: it hands messages to the groups that exist, and keeps none for later ones."""
        return Queue(self, name, DEFAULT_GROUP, settings_with(Settings(kind="topic"), options))

    async def queues(self) -> list[str]:
        """Names of all queues of the namespace."""
        return await self.transport.queues(self.namespace)

    async def close(self) -> None:
        """Close the connection. A second call does nothing."""
        if self._transport is not None and not self.closed:
            self.closed = True
            await self._transport.close()

    async def __aenter__(self) -> "Connection":
        if self._transport is None:
            self._transport = await self._open_transport()
        return self

    def __await__(self) -> Generator[object, None, "Connection"]:
        return self.__aenter__().__await__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def connect(url: str, *, namespace: str = DEFAULT_NAMESPACE, api_key: str | None = None) -> Connection:
    """Connect to a store in this process or to a server, see `crossdock.connect`."""
    return Connection(opener(url, api_key), namespace)

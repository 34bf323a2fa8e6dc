"""A queue, as coroutines."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from crossdock.core import model
from crossdock.core.durations import Duration
from crossdock.core.errors import Failures
from crossdock.core.model import Peeked, QueueStats, Settings

from .. import base
from ..bodies import Body, many_to_core, to_core
from ..settings import Options, settings_with
from ..transport import Transport
from .delivery import Delivery
from .subscription import Subscription

if TYPE_CHECKING:
    from .connection import Connection


class Queue(base.Handle):
    """A queue, seen from one group of readers. The queue is created by its first use when there is none."""

    __slots__ = ("_connection",)

    def __init__(
        self, connection: "Connection", name: str, group: str, settings: Settings, exists: bool = False
    ) -> None:
        super().__init__((connection.namespace, name), group, settings, exists)
        self._connection = connection

    @property
    def transport(self) -> Transport:
        return self._connection.transport

    def group(self, name: str) -> "Queue":
        """The same queue, seen from another group."""
        return Queue(self._connection, self.name, name, self._settings, self._exists)

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
        connection: object | None = None,
    ) -> int:
        """Send one message; returns its id, or the first one's when its dedup id was seen before.

        See `Message` for the options. With `connection`, of the store's own database, the message is part of the
        transaction that is open on it. Raises InvalidArgument, QueueFull, DedupConflict, MessageExpired.
        """
        message = to_core(body, delay, at, ttl, priority, dedup_id, ordering_key, headers)
        if connection is not None:
            return (await self._send_within(connection, (message,)))[0]
        if not self._exists:
            await self.create()
        return (await self.transport.send(self.address, (message,))).ids[0]

    async def send_many(self, bodies: Iterable[Body], *, connection: object | None = None) -> list[int]:
        """Send bodies or `Message` objects, all or none; returns their ids in order. `connection`: as in `send`."""
        messages = many_to_core(bodies)
        if connection is not None:
            return await self._send_within(connection, messages)
        if not self._exists:
            await self.create()
        return (await self.transport.send(self.address, messages)).ids

    async def _send_within(self, connection: object, messages: Sequence[model.Message]) -> list[int]:
        settings = None if self._exists else self._settings
        step = self.transport.send_within(connection, self.address, messages, settings)
        return (await step).ids

    async def receive(
        self,
        max_messages: int = 1,
        *,
        lease: Duration | None = None,
        wait: Duration | None = None,
        consumer: str = "",
        mode: base.Mode = "at-least-once",
    ) -> list[Delivery]:
        """Lease up to `max_messages`, waiting up to `wait` for the first. An empty list when there is none.

        With the mode `at-most-once` a message is gone when it is handed out, and needs no answer.
        """
        if not self._exists:
            await self.create()
        leases = await self.transport.receive(
            self.address,
            self.group_name,
            max_messages,
            base.lease_ms(lease),
            base.wait_ms(wait),
            consumer,
            base.auto_ack(mode),
        )
        return [Delivery(lease, self) for lease in leases]

    def subscribe(
        self, consumer: str = "", *, prefetch: int = 1, lease: Duration | None = None, mode: base.Mode = "at-least-once"
    ) -> Subscription:
        """Become a member of the group, named `consumer`: deliveries one by one, for ever. See Subscription.

        It begins with `await`, `async with`, or the first delivery asked for. Messages go round among the members of
        the group that have room: `prefetch` less the deliveries that they have not answered and whose leases run.
        Raises InvalidArgument.
        """
        join = base.Joining(
            self.address, self.group_name, consumer, prefetch, base.lease_ms(lease), base.auto_ack(mode)
        )
        return Subscription(self, join)

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

    async def create_group(self) -> bool:
        """Create this handle's group now, and its queue when there is none; False when it existed."""
        if not self._exists:
            await self.create()
        return await self.transport.create_group(self.address, self.group_name)

    async def delete_group(self) -> bool:
        """Delete this handle's group; False when there is none."""
        return await self.transport.delete_group(self.address, self.group_name)

    async def delete(self) -> None:
        """Delete the queue with everything in it."""
        await self.transport.delete_queue(self.address)

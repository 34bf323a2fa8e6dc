"""The broker: the one application service that every door and every client calls.

It checks arguments and access, waits, sweeps, and tells the observer. State lives in the store.
Every verb takes the caller as `who`; see `access`. Queue arguments are addresses (namespace, name).

Verbs on the path of every message are plain functions that check and return an awaitable: the store's own where nothing
is left to do after it. That spares each call a coroutine.
"""

from collections.abc import Awaitable, Sequence
from functools import partial

from crossdock.core.errors import InvalidArgument, QueueClosed
from crossdock.core.limits import (
    BATCH_MESSAGES_MAX,
    BODY_BYTES_MAX,
    CREDIT_MAX,
    DEFAULT_LEASE_MS,
    check_name,
    check_range,
)
from crossdock.core.model import DEFAULT_GROUP, Address, Delivery, Message, SendResult, Settings
from crossdock.storage.base import JoinsTransactions, Store

from . import checks
from .access import LOCAL, Principal, check_access
from .answers import Answers
from .counts import CountsLog
from .member import Member
from .members import Members
from .observer import Observer, Step
from .runtime import Runtime
from .sweeper import Sweeper
from .waiting import WaitingRoom


class Broker(Answers):
    """Queue verbs over one store. `Admin` holds those that manage and look, `Answers` those that settle deliveries."""

    def __init__(
        self, store: Store, runtime: Runtime, observer: Observer | None = None, body_max: int = BODY_BYTES_MAX
    ) -> None:
        """`body_max` bounds the bytes of a message's body, where less is wanted than the limit."""
        self.store = store
        self.runtime = runtime
        self.clock = runtime.clock
        self.observer = observer
        self.room = WaitingRoom(runtime)
        self.sweeper = Sweeper(store, runtime, self.room)
        self.room.watched = self.sweeper.watch
        self.room.nudge = self.sweeper.nudge
        self.members = Members(self)
        self.counts = CountsLog(store, runtime)
        self._body_max = check_range("max_body_bytes", body_max, 1, BODY_BYTES_MAX)
        self._now = runtime.clock.now
        self._suspends = store.abilities.suspends
        self._rotations = self.members.rotations
        self._closing = False

    async def open(self, sweep: bool = False, counts_every: int = 0) -> None:
        """Open the store. `sweep` keeps a steady sweep running, as a server wants; verbs do what is due anyway.

        Every `counts_every` ms the counts of all queues are logged; 0: never.
        """
        await self.store.open(self._now())
        if sweep:
            self.sweeper.start()
        if counts_every:
            self.counts.start(counts_every)

    async def close(self, grace: int = 0) -> None:
        """Take no new work, end every wait, give back the leases of members, close the store. May be called again.

        Consumers have up to `grace` ms to answer what they were given, before it is given back.
        """
        if self.closed:
            return
        self.end_waits()
        try:
            await self.members.drain(grace)
        finally:
            await self.members.close()
            self.counts.stop()
            self.sweeper.stop()
            await self.runtime.settle()
            self.closed = True
            await self.store.close()

    def end_waits(self) -> None:
        """Take no new sends and receives and let waiting ones return empty; answers to deliveries still work."""
        self._closing = True
        self.room.close()

    # Messages

    def send(self, address: Address, messages: Sequence[Message], who: Principal = LOCAL) -> Awaitable[SendResult]:
        """Accept all messages or none. The Message objects belong to the store afterwards.

        Raises InvalidArgument, QueueNotFound, QueueFull, DedupConflict, MessageExpired, QueueClosed.
        """
        if self._closing:
            raise QueueClosed("the broker is shutting down")
        if who is not LOCAL:
            check_access(who, address[0], address[1], "send")
        checks.check_messages(messages, self._body_max)
        if self.observer is not None:
            step = partial(self.store.send, address, messages, self._now())
            return self._told("send", address, len(messages), step)
        return self.store.send(address, messages, self._now())

    def send_within(
        self, connection: object, address: Address, messages: Sequence[Message], settings: Settings | None = None
    ) -> Awaitable[SendResult]:
        """Accept all messages or none inside the transaction open on `connection`, see `JoinsTransactions`.

        The observer is not told: whether anything was sent, the caller's commit decides. Raises as `send` does.
        """
        if self._closing:
            raise QueueClosed("the broker is shutting down")
        if not isinstance(self.store, JoinsTransactions):
            raise InvalidArgument("connection", connection, "needs a store in a database; this one has no transactions")
        checks.check_messages(messages, self._body_max)
        if settings is not None:
            check_name("namespace", address[0])
            check_name("queue", address[1])
            checks.check_settings(settings)
        return self.store.send_within(connection, address, messages, self._now(), settings)

    def receive(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 1,
        lease: int = 0,
        wait: int = 0,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
        who: Principal = LOCAL,
    ) -> Awaitable[list[Delivery]]:
        """Lease up to `limit` messages, waiting up to `wait` ms for the first.

        The lease is `lease` ms, else the queue's setting, else the door's `default_lease`.
        Cancelling the call gives back what it was about to get; with `auto_ack` it is gone (at most once).
        Raises InvalidArgument, QueueNotFound, QueueClosed (also for one wait too many).
        """
        if self._closing:
            raise QueueClosed("the broker is shutting down")
        if who is not LOCAL:
            check_access(who, address[0], address[1], "receive")
        if (
            group is not DEFAULT_GROUP
            or lease
            or wait
            or consumer != ""
            or limit.__class__ is not int
            or not 0 < limit <= BATCH_MESSAGES_MAX
        ):
            checks.check_receive(group, limit, lease, wait, consumer)
        if not wait and self.observer is None:
            return self._take(address, group, limit, lease, consumer, auto_ack, default_lease)
        take = partial(self._take, address, group, limit, lease, consumer, auto_ack, default_lease)
        step: Step[list[Delivery]] = partial(self.room.poll, address, group, limit, wait, take) if wait else take
        return self._told("receive", address, 0, step)

    def _take(
        self,
        address: Address,
        group: str,
        limit: int,
        lease: int,
        consumer: str,
        auto_ack: bool,
        default_lease: int,
    ) -> Awaitable[list[Delivery]]:
        step = self.store.receive(address, group, limit, lease, self._now(), consumer, auto_ack, default_lease)
        if self._suspends and not auto_ack:
            return self.runtime.finish(step, partial(self.give_back, address, group))
        return step

    # Members of groups

    def join(
        self,
        address: Address,
        group: str,
        prefetch: int,
        lease: int = 0,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
        who: Principal = LOCAL,
    ) -> Member:
        """Become a member of a group: one that is handed its share of the messages, see Member.

        Raises InvalidArgument, QueueClosed. A queue that does not exist shows when the member asks for a message.
        """
        if self._closing:
            raise QueueClosed("the broker is shutting down")
        check_access(who, address[0], address[1], "receive")
        checks.check_receive(group, 1, lease, 0, consumer)
        check_range("prefetch", prefetch, 1, CREDIT_MAX)
        return self.members.join(address, group, prefetch, auto_ack, lease, consumer, default_lease)

    def hand_out(self, address: Address, group: str, member: Member, limit: int) -> Awaitable[list[Delivery]]:
        """Take up to `limit` messages for a member, which was checked when it joined."""
        how = (member.lease, self._now(), member.consumer, member.auto_ack, member.default_lease)
        if self.observer is None:
            return self.store.receive(address, group, limit, *how)
        return self._told("receive", address, 0, partial(self.store.receive, address, group, limit, *how))

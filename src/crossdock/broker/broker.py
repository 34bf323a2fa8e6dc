"""The broker: the one application service that every door and every client calls.

It checks arguments and access, waits, sweeps, and tells the observer. State lives in the store.
Every verb takes the caller as `who`; see `access`. Queue arguments are addresses (namespace, name).

Verbs on the path of every message are plain functions that check and return an awaitable: the store's own where nothing
is left to do after it. That spares each call a coroutine.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeVar

from crossdock.core.errors import CrossdockError, Failures, QueueClosed
from crossdock.core.limits import BATCH_MESSAGES_MAX, DEFAULT_LEASE_MS, WAIT_MS_MAX
from crossdock.core.model import DEFAULT_GROUP, Address, Delivery, Message, Receipt, SendResult
from crossdock.storage.base import Store

from . import checks
from .access import LOCAL, Principal, check_access
from .admin import Admin
from .runtime import Runtime
from .subscription import SHARE_MAX, Deliver, Subscription
from .sweeper import Sweeper
from .waiting import WaitingRoom

T = TypeVar("T")


class Observer(Protocol):
    """The one hook for metrics, logs and traces. Called after each message verb by its caller; must not block.

    A call refused by a check was not begun, and is not told of.
    """

    def done(self, verb: str, address: Address, count: int, started: int) -> None:
        """`verb` succeeded for `count` messages; `started` is the clock's `now` when it began."""
        ...

    def failed(self, verb: str, address: Address, error: CrossdockError) -> None: ...


class Broker(Admin):
    """Queue verbs over one store. `Admin` holds those that manage and look."""

    def __init__(self, store: Store, runtime: Runtime, observer: Observer | None = None) -> None:
        self.store = store
        self.runtime = runtime
        self.clock = runtime.clock
        self.observer = observer
        self.room = WaitingRoom(runtime)
        self.sweeper = Sweeper(store, runtime, self.room)
        self.room.watched = self.sweeper.watch
        self._now = runtime.clock.now
        self._suspends = store.abilities.suspends
        self._subscriptions: set[Subscription] = set()
        self._closing = False

    async def open(self, sweep: bool = False) -> None:
        """Open the store. `sweep` keeps a steady sweep running, as a server wants; verbs do what is due anyway."""
        await self.store.open(self._now())
        if sweep:
            self.sweeper.start()

    async def close(self) -> None:
        """Take no new work, end every wait and subscription, stop sweeping, close the store. May be called again."""
        if self.closed:
            return
        self.end_waits()
        for subscription in tuple(self._subscriptions):
            await subscription.close()
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
        checks.check_messages(messages)
        if self.observer is not None:
            step = partial(self.store.send, address, messages, self._now())
            return self._observed(self.observer, "send", address, len(messages), step)
        return self.store.send(address, messages, self._now())

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
        step = partial(self._take_waiting, address, group, limit, wait, take) if wait else take
        return step() if self.observer is None else self._observed(self.observer, "receive", address, 0, step)

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
            return self.runtime.finish(step, partial(self._give_back, address, group))
        return step

    async def _give_back(self, address: Address, group: str, deliveries: Sequence[Delivery]) -> None:
        """Return leases whose consumer went away before it saw them."""
        if deliveries:
            await self.nack(address, group, deliveries, delay=0)

    async def _take_waiting(
        self, address: Address, group: str, limit: int, wait: int, take: Callable[[], Awaitable[list[Delivery]]]
    ) -> list[Delivery]:
        if not self.room.occupied(address, group):
            deliveries = await take()
            if deliveries or self._closing:
                return deliveries
        place = self.room.join(address, group, self._now() + wait)
        try:
            self.sweeper.nudge()
            while True:
                waiter = self.room.ask(place)
                if waiter is not None:
                    await waiter
                if self.room.closed:
                    return []
                deliveries = await take()
                if deliveries:
                    self.room.served(place, full=len(deliveries) == limit)
                    return deliveries
                if place.over:
                    return []
                self.room.lie_down(place)
        finally:
            self.room.leave(address, group, place)

    def subscribe(
        self,
        address: Address,
        group: str,
        deliver: Deliver,
        credit: int = 0,
        lease: int = 0,
        consumer: str = "",
        default_lease: int = DEFAULT_LEASE_MS,
        who: Principal = LOCAL,
    ) -> Subscription:
        """Push messages to `deliver` while there is credit, see Subscription. Needs an AsyncRuntime.

        Raises InvalidArgument, QueueClosed. What goes wrong later, a missing queue too, `Subscription.ended` tells.
        """
        if self._closing:
            raise QueueClosed("the broker is shutting down")
        check_access(who, address[0], address[1], "receive")
        checks.check_receive(group, SHARE_MAX, lease, WAIT_MS_MAX, consumer)

        def take(limit: int) -> Awaitable[list[Delivery]]:
            return self.receive(
                address, group, limit, lease, WAIT_MS_MAX, consumer, default_lease=default_lease, who=who
            )

        subscription = Subscription(take, partial(self._give_back, address, group), deliver, credit)
        self._subscriptions.add(subscription)
        subscription.ended.add_done_callback(lambda ended: self._subscriptions.discard(subscription))
        self.runtime.spawn(subscription.run)
        return subscription

    # Answers to deliveries. Each returns what failed, by index; the others succeeded.

    def ack(
        self, address: Address, group: str, receipts: Sequence[Receipt], who: Principal = LOCAL
    ) -> Awaitable[Failures]:
        """The messages are done, for this group."""
        if who is not LOCAL or self.closed:
            self._allow(who, address, "receive")
        if not 0 < len(receipts) <= BATCH_MESSAGES_MAX:
            checks.check_batch("receipts", len(receipts))
        if self.observer is not None:
            step = partial(self.store.ack, address, group, receipts, self._now())
            return self._observed(self.observer, "ack", address, len(receipts), step)
        return self.store.ack(address, group, receipts, self._now())

    def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        delay: int | None = None,
        error: str = "",
        who: Principal = LOCAL,
    ) -> Awaitable[Failures]:
        """Try again later: after `delay` ms, or after the queue's backoff when None."""
        now = self._allow(who, address, "receive")
        checks.check_nack(len(receipts), delay)
        jitter = self.runtime.random()
        step = partial(self.store.nack, address, group, receipts, now, jitter, delay, checks.cut_error(error))
        return self._answer("nack", address, len(receipts), step)

    def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], error: str = "", who: Principal = LOCAL
    ) -> Awaitable[Failures]:
        """Dead-letter now."""
        now = self._allow(who, address, "receive")
        checks.check_batch("receipts", len(receipts))
        step = partial(self.store.reject, address, group, receipts, now, checks.cut_error(error))
        return self._answer("reject", address, len(receipts), step)

    def extend(
        self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, who: Principal = LOCAL
    ) -> Awaitable[Failures]:
        """Let the leases end `lease` ms from now."""
        now = self._allow(who, address, "receive")
        checks.check_extend(len(receipts), lease)
        step = partial(self.store.extend, address, group, receipts, lease, now)
        return self._answer("extend", address, len(receipts), step)

    def _answer(
        self, verb: str, address: Address, count: int, step: Callable[[], Awaitable[Failures]]
    ) -> Awaitable[Failures]:
        return step() if self.observer is None else self._observed(self.observer, verb, address, count, step)

    async def _observed(
        self, observer: Observer, verb: str, address: Address, count: int, step: Callable[[], Awaitable[T]]
    ) -> T:
        """Do a verb and tell the observer how it went."""
        started = self._now()
        try:
            result = await step()
        except CrossdockError as error:
            observer.failed(verb, address, error)
            raise
        if isinstance(result, list):
            count = len(result)
        elif isinstance(result, Mapping):
            count -= len(result)
            for failure in result.values():
                observer.failed(verb, address, failure)
        observer.done(verb, address, count, started)
        return result

"""Push subscriptions: never more than the credit, shared fairly, and nothing kept when they end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.broker.access import EVERYTHING, Principal
from crossdock.broker.subscription import SHARE_MAX, Subscription
from crossdock.core.errors import InvalidArgument, QueueClosed, QueueNotFound
from crossdock.core.limits import CREDIT_MAX
from crossdock.core.model import Delivery, Message, Settings
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, SuspendingStore, bodies, send, turns


class Consumer:
    """Takes what it is given, and looks after the credit."""

    def __init__(self, broker: Broker, credit: int = 0, name: str = "", **options: int) -> None:
        self.got: list[Delivery] = []
        self.batches: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.subscription: Subscription = broker.subscribe(Q, "default", self.deliver, credit, consumer=name, **options)

    async def deliver(self, deliveries: list[Delivery]) -> None:
        assert deliveries
        self.batches.append(len(deliveries))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.got += deliveries


async def send_batch(broker: Broker, count: int) -> None:
    await broker.send(Q, [Message(str(number).encode()) for number in range(count)])


async def test_without_credit_nothing_is_delivered(broker: Broker) -> None:
    consumer = Consumer(broker)
    await send(broker, "a")
    await turns()
    assert consumer.got == []
    assert (await broker.stats(Q)).leased == 0


async def test_each_message_uses_up_one_credit(broker: Broker) -> None:
    consumer = Consumer(broker, 3)
    await send(broker, *"abcde")
    await turns()
    assert bodies(consumer.got) == ["a", "b", "c"]
    assert consumer.subscription.credit == 0
    consumer.subscription.grant(1)
    await turns()
    assert bodies(consumer.got) == ["a", "b", "c", "d"]
    stats = await broker.stats(Q)
    assert (stats.leased, stats.ready) == (4, 1)


async def test_a_batch_is_never_more_than_the_credit_or_a_share(broker: Broker) -> None:
    consumer = Consumer(broker, SHARE_MAX + 2)
    await send_batch(broker, 100)
    await turns()
    assert consumer.batches == [SHARE_MAX, 2]


async def test_messages_come_as_they_are_sent_and_fall_due(broker: Broker, clock: VirtualClock) -> None:
    consumer = Consumer(broker, 10)
    await turns()
    await send(broker, "late", delay=5_000)
    await send(broker, "a")
    await turns()
    assert bodies(consumer.got) == ["a"]
    await clock.sleep_through(5_000)
    assert bodies(consumer.got) == ["a", "late"]
    await broker.ack(Q, "default", consumer.got)
    await clock.sleep_through(3 * HOUR)  # Longer than one receive may wait.
    await send(broker, "b")
    await turns()
    assert bodies(consumer.got)[-1] == "b"


async def test_lease_and_consumer_are_those_of_the_subscription(broker: Broker, clock: VirtualClock) -> None:
    consumer = Consumer(broker, 1, "worker-1", lease=7_000)
    await send(broker, "a")
    await turns()
    (delivery,) = consumer.got
    assert (delivery.consumer, delivery.lease_until) == ("worker-1", clock.now() + 7_000)


@pytest.mark.parametrize("members", [2, 3, 4])
async def test_members_of_a_group_take_turns(broker: Broker, members: int) -> None:
    consumers = [Consumer(broker, 1_000) for _ in range(members)]
    await turns()
    await send_batch(broker, members * 5 * SHARE_MAX)
    await turns()
    await turns()
    shares = [len(consumer.got) for consumer in consumers]
    assert sum(shares) == members * 5 * SHARE_MAX
    assert max(shares) - min(shares) <= SHARE_MAX


async def test_messages_sent_one_by_one_go_round(broker: Broker) -> None:
    consumers = [Consumer(broker, 1_000) for _ in range(3)]
    for number in range(9):
        await turns()
        await send(broker, str(number))
    await turns()
    assert [bodies(consumer.got) for consumer in consumers] == [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]


async def test_who_has_no_credit_is_passed_over(broker: Broker) -> None:
    poor, rich = Consumer(broker, 1), Consumer(broker, 100)
    await turns()
    await send_batch(broker, 30)
    await turns()
    assert (len(poor.got), len(rich.got)) == (1, 29)


async def test_a_slow_consumer_is_given_no_more_meanwhile(broker: Broker) -> None:
    """F32: one batch at a time, so the door's buffer is bounded by its credit."""
    slow, quick = Consumer(broker, 1_000), Consumer(broker, 1_000)
    slow.open.clear()
    await turns()
    await send_batch(broker, 100)
    await turns()
    assert (slow.batches, len(quick.got)) == ([SHARE_MAX], 100 - SHARE_MAX)
    slow.open.set()


# The end


async def test_close_gives_back_what_was_not_delivered_at_once(broker: Broker) -> None:
    consumer = Consumer(broker, 5)
    consumer.open.clear()
    await send(broker, *"abc")
    await turns()
    assert (await broker.stats(Q)).leased == 3
    await consumer.subscription.close()
    stats = await broker.stats(Q)
    assert (stats.ready, stats.leased, broker.room.members) == (3, 0, 0)
    assert consumer.got == []
    assert consumer.subscription.ended.done()
    assert consumer.subscription.ended.exception() is None


async def test_what_was_delivered_stays_leased_and_nothing_more_comes(broker: Broker) -> None:
    consumer = Consumer(broker, 5)
    await send(broker, "a")
    await turns()
    await consumer.subscription.close()
    await consumer.subscription.close()
    await send(broker, "b")
    await turns()
    assert bodies(consumer.got) == ["a"]
    assert await broker.ack(Q, "default", consumer.got) == {}
    assert (await broker.stats(Q)).ready == 1


async def test_close_at_any_moment(broker: Broker) -> None:
    never_ran = Consumer(broker, 5)
    await never_ran.subscription.close()
    no_credit = Consumer(broker)
    await turns()
    await no_credit.subscription.close()
    waits = Consumer(broker, 1)
    await turns()
    await waits.subscription.close()
    assert (never_ran.batches, no_credit.batches, waits.batches) == ([], [], [])
    assert broker.room.members == 0


async def test_a_consumer_may_close_from_within(broker: Broker) -> None:
    ended: list[Subscription] = []

    async def deliver(deliveries: list[Delivery]) -> None:
        await subscription.close()
        ended.append(subscription)

    subscription = broker.subscribe(Q, "default", deliver, 100)
    await send_batch(broker, 100)
    await turns()
    assert ended == [subscription]
    await subscription.ended
    assert (await broker.stats(Q)).leased == SHARE_MAX, "these were delivered"


async def test_an_error_of_the_consumer_ends_it_and_gives_its_leases_back(broker: Broker) -> None:
    consumer = Consumer(broker, 5)
    consumer.error = ConnectionResetError("gone")
    await send(broker, "a", "b")
    with pytest.raises(ConnectionResetError, match="gone"):
        await consumer.subscription.ended
    stats = await broker.stats(Q)
    assert (stats.ready, stats.leased, len(consumer.batches)) == (2, 0, 1)
    await consumer.subscription.close()


async def test_a_deleted_or_missing_queue_ends_it(broker: Broker) -> None:
    waits = Consumer(broker, 5)
    await turns()
    await broker.delete_queue(Q)
    late = Consumer(broker, 5)
    for consumer in (waits, late):
        with pytest.raises(QueueNotFound, match="queue 'q' does not exist"):
            await consumer.subscription.ended


async def test_the_close_of_the_broker_ends_all_and_keeps_no_lease(broker: Broker) -> None:
    waits, no_credit, stuck = Consumer(broker, 5), Consumer(broker), Consumer(broker, 5)
    stuck.open.clear()
    await turns()
    await send_batch(broker, 2)
    await turns()
    store = broker.store
    await broker.close()
    for consumer in (waits, no_credit, stuck):
        await consumer.subscription.ended
    stats = await store.stats(Q, broker.clock.now())
    assert stats.leased == len(waits.got)
    with pytest.raises(QueueClosed):
        Consumer(broker)


@pytest.fixture
def store() -> SuspendingStore:
    return SuspendingStore()


@pytest.fixture
async def slow(store: SuspendingStore, clock: VirtualClock) -> AsyncIterator[Broker]:
    broker = Broker(store, AsyncRuntime(clock))
    await broker.open()
    await broker.create_queue(Q, Settings(max_attempts=0))
    yield broker
    store.answer.set()
    await broker.close()


async def test_close_while_the_store_answers_gives_the_lease_back(slow: Broker, store: SuspendingStore) -> None:
    """F10"""
    await send(slow, "a")
    consumer = Consumer(slow, 5)
    await store.leased.wait()
    await consumer.subscription.close()
    store.answer.set()
    await slow.runtime.settle()
    stats = await slow.stats(Q)
    assert (stats.ready, stats.leased, consumer.batches) == (1, 0, [])


@pytest.mark.parametrize("credit", [-1, CREDIT_MAX + 1, 1.5, None, True])
async def test_credit_is_bounded(broker: Broker, credit: int) -> None:
    consumer = Consumer(broker, CREDIT_MAX - 1)
    consumer.subscription.grant(CREDIT_MAX)
    assert consumer.subscription.credit == CREDIT_MAX
    with pytest.raises(InvalidArgument, match="credit must be a whole number"):
        consumer.subscription.grant(credit)
    with pytest.raises(InvalidArgument, match="credit must be a whole number"):
        Consumer(broker, credit)


async def test_it_is_checked_as_a_receive_is(broker: Broker) -> None:
    stranger = Principal("stranger", {"own": EVERYTHING})
    with pytest.raises(QueueNotFound):
        broker.subscribe(Q, "default", Consumer.deliver, who=stranger)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="group must be"):
        broker.subscribe(Q, "bad group", Consumer.deliver)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="lease must be"):
        Consumer(broker, lease=-1)

"""Members of a group: never more than the prefetch unanswered, shared fairly, and nothing kept when they end."""

import asyncio

import pytest

from crossdock.broker import Broker
from crossdock.broker.access import EVERYTHING, Principal
from crossdock.broker.holding import AHEAD_MAX
from crossdock.core.errors import InvalidArgument, QueueClosed, QueueNotFound
from crossdock.core.limits import CREDIT_MAX
from crossdock.core.model import Delivery, Message
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, SuspendingStore, bodies, send, turns
from pushing import Pushing


class Consumer:
    """Takes what it is given, and answers when told to."""

    def __init__(self, broker: Broker, prefetch: int = CREDIT_MAX, name: str = "", **options: int) -> None:
        self._broker = broker
        self.got: list[Delivery] = []
        self.batches: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None
        self.subscription = Pushing(broker, Q, "default", self.deliver, prefetch, consumer=name, **options)

    async def deliver(self, deliveries: list[Delivery]) -> None:
        assert deliveries
        self.batches.append(len(deliveries))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.got += deliveries

    async def ack(self) -> None:
        assert await self._broker.ack(Q, "default", self.got) == {}


async def send_batch(broker: Broker, count: int) -> None:
    await broker.send(Q, [Message(str(number).encode()) for number in range(count)])


async def test_no_more_than_the_prefetch_is_unanswered(broker: Broker) -> None:
    consumer = Consumer(broker, 3)
    await send(broker, *"abcde")
    await turns()
    assert bodies(consumer.got) == ["a", "b", "c"]
    await broker.ack(Q, "default", consumer.got[:1])
    await turns()
    assert bodies(consumer.got) == ["a", "b", "c", "d"]
    stats = await broker.stats(Q)
    assert (stats.leased, stats.ready) == (3, 1)


@pytest.mark.parametrize("answer", ["ack", "nack", "reject"])
async def test_every_answer_makes_room(broker: Broker, answer: str) -> None:
    consumer = Consumer(broker, 1)
    await send(broker, *"ab")
    await turns()
    assert await getattr(broker, answer)(Q, "default", consumer.got) == {}
    await turns()
    assert bodies(consumer.got) == ["a", "b"]


async def test_messages_come_as_they_are_sent_and_fall_due(broker: Broker, clock: VirtualClock) -> None:
    consumer = Consumer(broker, 10)
    await turns()
    await send(broker, "late", delay=5_000)
    await send(broker, "a")
    await turns()
    assert bodies(consumer.got) == ["a"]
    await clock.sleep_through(5_000)
    assert bodies(consumer.got) == ["a", "late"]
    await consumer.ack()
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
    consumers = [Consumer(broker) for _ in range(members)]
    await turns()
    await send_batch(broker, members * 50)
    await turns()
    await turns()
    shares = [len(consumer.got) for consumer in consumers]
    assert sum(shares) == members * 50
    assert max(shares) - min(shares) <= 1


async def test_messages_sent_one_by_one_go_round(broker: Broker) -> None:
    consumers = [Consumer(broker) for _ in range(3)]
    for number in range(9):
        await turns()
        await send(broker, str(number))
    await turns()
    assert [bodies(consumer.got) for consumer in consumers] == [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]


async def test_who_has_no_room_is_passed_over(broker: Broker) -> None:
    poor, rich = Consumer(broker, 1), Consumer(broker, 100)
    await turns()
    await send_batch(broker, 30)
    await turns()
    assert (len(poor.got), len(rich.got)) == (1, 29)


async def test_little_waits_for_a_slow_consumer(broker: Broker) -> None:
    """F32: one batch at a time, and a bound for what waits behind it, however large the prefetch."""
    slow, quick = Consumer(broker), Consumer(broker)
    slow.open.clear()
    await turns()
    await send_batch(broker, 1_000)
    for _ in range(20):
        await turns()
    assert len(slow.batches) == 1
    assert len(quick.got) == 1_000 - slow.batches[0] - AHEAD_MAX
    slow.open.set()
    await turns()
    assert len(slow.got) + len(quick.got) == 1_000


# The end


async def test_close_gives_back_at_once_what_was_not_answered(broker: Broker) -> None:
    consumer, busy = Consumer(broker, 5), Consumer(broker, 5)
    await send(broker, *"ab")
    await turns()
    busy.open.clear()
    await send(broker, *"cd")
    await turns()
    assert (await broker.stats(Q)).leased == 4
    for closing in (consumer, busy):
        await closing.subscription.close()
        await closing.subscription.close()
        assert closing.subscription.ended.exception() is None
    await send(broker, "e")
    await turns()
    stats = await broker.stats(Q)
    assert (stats.ready, stats.leased, broker.room.members) == (5, 0, 0)
    assert (bodies(consumer.got), bodies(busy.got)) == (["a", "c"], ["b"])
    assert broker.members.rotations == {}


async def test_what_was_answered_stays_answered(broker: Broker) -> None:
    consumer = Consumer(broker, 5)
    await send(broker, "a")
    await turns()
    await consumer.ack()
    await consumer.subscription.close()
    assert (await broker.stats(Q)).stored == 0


async def test_close_at_any_moment(broker: Broker) -> None:
    never_ran = Consumer(broker, 5)
    await never_ran.subscription.close()
    no_room = Consumer(broker, 1)
    await send(broker, "a")
    await turns()
    await no_room.subscription.close()
    await broker.delete_messages(Q)
    waits = Consumer(broker, 1)
    await turns()
    await waits.subscription.close()
    assert (never_ran.batches, no_room.batches, waits.batches) == ([], [1], [])
    assert broker.room.members == 0


async def test_an_error_of_the_consumer_ends_it_and_gives_its_leases_back(broker: Broker) -> None:
    consumer = Consumer(broker, 5)
    consumer.error = ConnectionResetError("gone")
    await send(broker, "a", "b")
    with pytest.raises(ConnectionResetError, match="gone"):
        await consumer.subscription.ended
    stats = await broker.stats(Q)
    assert (stats.ready, stats.leased, len(consumer.batches)) == (2, 0, 1)
    await consumer.subscription.close()
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
    waits, stuck = Consumer(broker, 5), Consumer(broker, 5)
    stuck.open.clear()
    await turns()
    await send_batch(broker, 2)
    await turns()
    assert (len(waits.got), stuck.batches) == (1, [1])
    store = broker.store
    await broker.close()
    await waits.subscription.ended
    await stuck.subscription.close()
    assert (await store.stats(Q, broker.clock.now())).leased == 0
    with pytest.raises(QueueClosed):
        Consumer(broker)


async def test_consumers_may_answer_until_the_deadline_of_the_close(broker: Broker, clock: VirtualClock) -> None:
    quick, slow = Consumer(broker, 1), Consumer(broker, 1)
    await send_batch(broker, 3)
    await turns()
    store = broker.store
    closing = asyncio.ensure_future(broker.close(10_000))
    await turns()
    await quick.ack()
    await clock.sleep_through(9_999)
    assert not closing.done()
    assert (await store.stats(Q, clock.now())).leased == 1, "nothing new was handed out"
    await clock.sleep_through(1)
    await closing
    stats = await store.stats(Q, clock.now())
    assert (stats.ready, stats.leased, len(slow.got)) == (2, 0, 1)


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


@pytest.mark.parametrize("prefetch", [0, -1, CREDIT_MAX + 1, 1.5, None, True])
async def test_the_prefetch_is_bounded(broker: Broker, prefetch: int) -> None:
    with pytest.raises(InvalidArgument, match="prefetch must be a whole number from 1 to 1000000"):
        Consumer(broker, prefetch)


async def test_it_is_checked_as_a_receive_is(broker: Broker) -> None:
    stranger = Principal("stranger", {"own": EVERYTHING})
    with pytest.raises(QueueNotFound):
        broker.join(Q, "default", 1, who=stranger)
    with pytest.raises(InvalidArgument, match="group must be"):
        broker.join(Q, "bad group", 1)
    with pytest.raises(InvalidArgument, match="lease must be"):
        Consumer(broker, lease=-1)

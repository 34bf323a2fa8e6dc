"""Members of a group: messages go round among those with room, and nothing is kept by who goes away."""

import asyncio
from collections import Counter
from collections.abc import Awaitable

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.broker.holding import AHEAD_MAX
from crossdock.broker.member import Member
from crossdock.broker.runtime import LoopWaiter
from crossdock.core.errors import QueueClosed, QueueNotFound, StoreUnavailable
from crossdock.core.limits import WAITERS_MAX
from crossdock.core.model import Delivery, Message
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, SuspendingStore, bodies, send, turns, waiting


def members(broker: Broker, count: int, prefetch: int = 1, **options: int) -> list[Member]:
    return [broker.join(Q, "default", prefetch, consumer=f"c{number}", **options) for number in range(count)]


async def take(member: Member) -> Delivery:
    delivery = await member.next()
    assert delivery is not None
    return delivery


async def text(step: Awaitable[Delivery | None]) -> str | None:
    delivery = await step
    return None if delivery is None else delivery.message.body.decode()


async def ack(broker: Broker, *deliveries: Delivery) -> None:
    assert await broker.ack(Q, "default", deliveries) == {}


async def counts(broker: Broker) -> tuple[int, int]:
    stats = await broker.stats(Q)
    return stats.ready, stats.leased


# Whose turn it is


async def test_a_backlog_goes_round_and_each_hand_out_names_its_consumer(broker: Broker) -> None:
    await send(broker, *"abcdefgh")
    line = members(broker, 3, prefetch=2)
    first = [await take(member) for member in line]
    second = [await take(member) for member in line]
    assert (bodies(first), bodies(second)) == (list("abc"), list("def"))
    assert [delivery.consumer for delivery in first] == ["c0", "c1", "c2"]
    peeked = await broker.browse(Q, state="leased")
    assert [look.consumer for look in peeked] == ["c0", "c1", "c2"] * 2


async def test_a_large_prefetch_starves_nobody(broker: Broker) -> None:
    await send(broker, *"abcdef")
    greedy = broker.join(Q, "default", 100, consumer="greedy")
    modest = broker.join(Q, "default", 3, consumer="modest")
    assert await text(greedy.next()) == "a"
    assert await text(modest.next()) == "b"
    rest = [await take(greedy), await take(modest)]
    assert bodies(rest) == ["c", "d"]


async def test_who_comes_back_takes_its_turn_behind_who_waited(broker: Broker) -> None:
    one, two = members(broker, 2)
    await send(broker, *"abc")
    first = await take(one)
    await ack(broker, first)
    again = await take(one)
    assert (first.message.body, again.message.body) == (b"a", b"c"), "b waits for the other"
    assert await text(two.next()) == "b"


async def test_one_member_alone_takes_a_batch_at_once(broker: Broker) -> None:
    member = broker.join(Q, "default", 1_000)
    await broker.send(Q, [Message(b"x") for _ in range(500)])
    await take(member)
    assert (await broker.stats(Q)).leased == AHEAD_MAX, "F32: no more than that waits for it"


async def test_groups_go_round_apart(broker: Broker) -> None:
    one, other = broker.join(Q, "g1", 1), broker.join(Q, "g2", 1)
    await send(broker, "a")
    assert (await text(one.next()), await text(other.next())) == ("a", "a")


# Room


async def test_an_answer_makes_room_and_wakes_who_waits_for_it(broker: Broker) -> None:
    (member,) = members(broker, 1)
    await send(broker, "a", "b")
    first = await take(member)
    asks = await waiting(member.next())
    assert await counts(broker) == (1, 1)
    await ack(broker, first)
    assert await text(asks) == "b"


async def test_an_answer_that_fails_makes_room_too(broker: Broker, clock: VirtualClock) -> None:
    (member,) = members(broker, 1, lease=1_000)
    await send(broker, "a", "b")
    first = await take(member)
    await broker.delete_messages(Q, [first.id])
    assert set(await broker.ack(Q, "default", [first])) == {0}
    assert await text(member.next()) == "b"


async def test_the_end_of_a_lease_makes_room(broker: Broker, clock: VirtualClock) -> None:
    (member,) = members(broker, 1, lease=10_000)
    await send(broker, "a")
    first = await take(member)
    asks = await waiting(member.next())
    await clock.sleep_through(9_999)
    assert not asks.done()
    await clock.sleep_through(1)
    again = await asks
    assert (again.id, again.attempt) == (first.id, 2)


async def test_a_lease_that_was_extended_takes_up_room_for_longer(broker: Broker, clock: VirtualClock) -> None:
    (member,) = members(broker, 1, lease=10_000)
    await send(broker, "a", "b")
    first = await take(member)
    await broker.extend(Q, "default", [first], 60_000)
    asks = await waiting(member.next())
    await clock.sleep_through(59_999)
    assert not asks.done()
    await clock.sleep_through(1)
    assert await text(asks) == "b"


async def test_a_message_whose_lease_ended_unseen_is_not_handed_over(broker: Broker, clock: VirtualClock) -> None:
    """A consumer that does not ask must not use up the attempts of messages that it never sees."""
    idle = broker.join(Q, "default", 10, lease=5_000)
    busy = broker.join(Q, "default", 1, lease=5_000)
    await send(broker, *"abc")
    assert await text(busy.next()) == "b"
    assert await counts(broker) == (0, 3)
    await clock.sleep_through(5_000)
    again = []
    for _ in range(3):
        again.append(await take(busy))
        await ack(broker, again[-1])
    assert [(delivery.message.body, delivery.attempt) for delivery in again] == [(b"a", 2), (b"b", 2), (b"c", 2)]
    await send(broker, "d")
    assert await text(idle.next()) == "d", "who asks again is given messages again"


# At most once


async def test_at_most_once_hands_out_only_to_who_asks(broker: Broker) -> None:
    one, two = members(broker, 2, auto_ack=True)
    await send(broker, *"abc")
    assert await text(one.next()) == "a"
    assert await text(one.next()) == "b"
    assert (await broker.stats(Q)).stored == 1, "nothing was taken for the one that does not ask"
    await one.close()
    assert await text(two.next()) == "c"


# Going away


async def test_close_gives_back_what_was_taken_and_what_waits(broker: Broker) -> None:
    member = broker.join(Q, "default", 5)
    await send(broker, *"abc")
    await take(member)
    assert await counts(broker) == (0, 3)
    await member.close()
    await member.close()
    assert await counts(broker) == (3, 0)
    assert (member.poll(), await member.next()) == (None, None)


async def test_close_ends_a_wait_whether_it_pulls_or_not(broker: Broker) -> None:
    line = members(broker, 3)
    asks = [await waiting(member.next()) for member in line]
    await line[1].close()
    assert await asks[1] is None
    await line[0].close()
    assert await asks[0] is None
    await send(broker, "a")
    assert await text(asks[2]) == "a", "the last one pulls now"
    assert broker.room.members == 0


async def test_what_one_gives_back_another_gets_at_once(broker: Broker) -> None:
    one, two = members(broker, 2)
    await send(broker, "a")
    await take(one)
    asks = await waiting(two.next())
    await one.close()
    again = await asks
    assert (again.message.body, again.attempt, again.consumer) == (b"a", 2, "c1")


async def test_a_cancelled_wait_hands_the_pulling_on(broker: Broker) -> None:
    line = members(broker, 3)
    asks = [await waiting(member.next()) for member in line]
    asks[0].cancel()
    asks[1].cancel()
    await turns()
    await send(broker, *"abc")
    assert await text(asks[2]) == "c"
    assert [await text(member.next()) for member in line[:2]] == ["a", "b"], "they are members still"


async def test_a_deleted_queue_tells_everybody(broker: Broker) -> None:
    asks = [await waiting(member.next()) for member in members(broker, 3)]
    await broker.delete_queue(Q)
    for ask in asks:
        with pytest.raises(QueueNotFound):
            await ask


async def test_the_close_of_the_broker_ends_every_wait(broker: Broker) -> None:
    line = members(broker, 3)
    asks = [await waiting(member.next()) for member in line]
    await broker.close()
    assert await asyncio.gather(*asks) == [None, None, None]
    assert await line[0].next() is None
    with pytest.raises(QueueClosed):
        members(broker, 1)


async def test_one_wait_too_many_is_refused(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    (member,) = members(broker, 1)
    monkeypatch.setattr(broker.room, "members", WAITERS_MAX)
    with pytest.raises(QueueClosed, match="receives are waiting already"):
        await member.next()
    monkeypatch.setattr(broker.room, "members", 0)


# Wake-ups


class CountingWaiter(LoopWaiter):
    wakes = 0

    def wake(self) -> None:
        CountingWaiter.wakes += 1
        super().wake()


class CountingRuntime(AsyncRuntime):
    def waiter(self) -> LoopWaiter:
        return CountingWaiter(self._loop, self._thread)


@pytest.mark.parametrize("batch", [1, 7])
async def test_a_message_makes_two_wakeups_at_most(clock: VirtualClock, batch: int) -> None:
    """F31: one for the member that pulls, one for the member that gets it or pulls next."""
    CountingWaiter.wakes = 0
    store = SuspendingStore()
    store.answer.set()
    broker = Broker(store, CountingRuntime(clock))
    await broker.create_queue(Q)
    got: Counter[str] = Counter()

    async def consume(member: Member) -> None:
        while (delivery := member.poll() or await member.next()) is not None:
            got[member.consumer] += 1
            await ack(broker, delivery)

    consumers = [asyncio.ensure_future(consume(member)) for member in members(broker, 20)]
    for _ in range(140 // batch):
        await turns()
        await broker.send(Q, [Message(b"x") for _ in range(batch)])
    while (await broker.stats(Q)).stored:
        await turns()
    assert (sum(got.values()), min(got.values()), max(got.values())) == (140, 7, 7)
    assert CountingWaiter.wakes <= 2 * 140
    await broker.close()
    await asyncio.gather(*consumers)


# A store that answers later


async def test_a_cancelled_wait_loses_nothing_that_is_on_its_way(slow: Broker, store: SuspendingStore) -> None:
    """F10: what the store was asked for is handed over, and no attempt is wasted."""
    one, two = members(slow, 2)
    await send(slow, "a")
    ask = asyncio.ensure_future(one.next())
    await store.leased.wait()
    ask.cancel()
    await turns()
    assert ask.cancelled()
    other = await waiting(two.next())
    store.answer.set()
    await turns()
    delivery = await take(one)
    assert (delivery.message.body, delivery.attempt) == (b"a", 1)
    await send(slow, "b")
    assert await text(other) == "b"


async def test_what_is_on_its_way_to_who_has_left_is_given_back(slow: Broker, store: SuspendingStore) -> None:
    """F10"""
    (member,) = members(slow, 1)
    await send(slow, "a")
    ask = asyncio.ensure_future(member.next())
    await store.leased.wait()
    await member.close()
    store.answer.set()
    assert await ask is None
    assert await counts(slow) == (1, 0)


async def test_close_of_the_broker_waits_until_it_is_given_back(slow: Broker, store: SuspendingStore) -> None:
    (member,) = members(slow, 1)
    await send(slow, "a")
    ask = asyncio.ensure_future(member.next())
    await store.leased.wait()
    ask.cancel()
    closing = asyncio.ensure_future(slow.close(HOUR))
    await turns()
    store.answer.set()
    await closing
    stats = await store.stats(Q, slow.clock.now())
    assert (stats.ready, stats.leased) == (1, 0)


async def test_turns_are_taken_together_when_there_is_much(slow: Broker, store: SuspendingStore) -> None:
    store.answer.set()
    line = members(slow, 4, prefetch=50)
    await slow.send(Q, [Message(str(number).encode()) for number in range(200)])
    got: list[list[str]] = [[] for _ in line]
    for _ in range(50):
        for index, member in enumerate(line):
            got[index].append((member.poll() or await take(member)).message.body.decode())
    assert got == [[str(number) for number in range(start, 200, 4)] for start in range(4)]


async def test_a_store_that_fails_tells_who_asks_and_serves_the_next(slow: Broker, store: SuspendingStore) -> None:
    (member,) = members(slow, 1)
    store.answer.set()
    store.failure = StoreUnavailable("the disk is full")
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await member.next()
    store.failure = None
    await send(slow, "a")
    assert await text(member.next()) == "a"

"""Long polls on an event loop: first come, first served; one wake-up a message; nothing lost, whatever ends a wait."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from crossdock.broker import Broker
from crossdock.broker.waiting import WaitingRoom
from crossdock.core.errors import QueueClosed, QueueNotFound
from crossdock.core.model import Delivery, Message, Receipt, Settings
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, bodies, send, turns, waiting


async def waiters(broker: Broker, count: int, **options: int) -> list[asyncio.Task[list[Delivery]]]:
    return [await waiting(broker.receive(Q, wait=HOUR, **options)) for _ in range(count)]


async def test_a_ready_message_is_handed_out_without_a_wait(broker: Broker) -> None:
    await send(broker, "a")
    assert bodies(await broker.receive(Q, wait=HOUR)) == ["a"]
    assert (broker.room.members, broker.room.wakeups) == (0, 0)


async def test_a_send_ends_the_wait(broker: Broker) -> None:
    (waiter,) = await waiters(broker, 1)
    assert broker.room.members == 1
    await send(broker, "a")
    assert bodies(await waiter) == ["a"]
    assert (broker.room.members, broker.room.wakeups) == (0, 1)


async def test_waiters_are_served_in_order_of_arrival(broker: Broker) -> None:
    line = await waiters(broker, 5)
    await send(broker, *"abcde")
    assert [bodies(got) for got in await asyncio.gather(*line)] == [["a"], ["b"], ["c"], ["d"], ["e"]]


async def test_a_message_makes_exactly_one_wakeup(broker: Broker) -> None:
    line = await waiters(broker, 10)
    for number in range(10):
        await send(broker, str(number))
        await turns()
        assert broker.room.wakeups == number + 1
        assert sum(waiter.done() for waiter in line) == number + 1


async def test_a_batch_wakes_as_many_as_it_has_messages(broker: Broker) -> None:
    line = await waiters(broker, 5)
    await broker.send(Q, [Message(str(number).encode()) for number in range(3)])
    await turns()
    assert [waiter.done() for waiter in line] == [True, True, True, False, False]
    assert broker.room.wakeups == 3
    await send(broker, "3", "4")
    await asyncio.gather(*line)


async def test_a_thousand_waiters_are_not_woken_for_every_message(broker: Broker) -> None:
    """F31"""
    line = await waiters(broker, 1_000)
    for number in range(500):
        await send(broker, str(number))
        if number % 7 == 0:
            await turns()
    await turns()
    assert sum(waiter.done() for waiter in line) == 500
    assert broker.room.wakeups <= 2 * 500
    await broker.close()
    assert [len(got) for got in await asyncio.gather(*line)] == [1] * 500 + [0] * 500


async def test_a_newcomer_does_not_overtake_who_waits(broker: Broker) -> None:
    (first,) = await waiters(broker, 1)
    second = asyncio.ensure_future(broker.receive(Q, wait=HOUR))
    await send(broker, "a")  # The first is woken, and the second runs before it.
    await turns()
    assert bodies(await first) == ["a"]
    assert not second.done()
    await send(broker, "b")
    assert bodies(await second) == ["b"]


async def test_a_newcomer_gets_what_the_woken_one_leaves(broker: Broker) -> None:
    (first,) = await waiters(broker, 1)
    await broker.send(Q, [Message(body.encode()) for body in "abc"])
    others = [asyncio.ensure_future(broker.receive(Q, wait=HOUR)) for _ in range(2)]
    assert [bodies(got) for got in await asyncio.gather(first, *others)] == [["a"], ["b"], ["c"]]


async def test_who_was_woken_in_vain_keeps_the_place(broker: Broker) -> None:
    first, second = await waiters(broker, 2)
    await send(broker, "a")
    assert bodies(await broker.receive(Q)) == ["a"]  # A receive that does not wait was quicker.
    await turns()
    await send(broker, "b")
    assert bodies(await first) == ["b"]
    assert not second.done()
    await send(broker, "c")
    assert bodies(await second) == ["c"]


async def test_groups_and_queues_wait_apart(broker: Broker) -> None:
    await broker.create_queue(("default", "other"))
    here = await waiting(broker.receive(Q, "g1", wait=HOUR))
    there = await waiting(broker.receive(Q, "g2", wait=HOUR))
    elsewhere = await waiting(broker.receive(("default", "other"), wait=HOUR))
    await send(broker, "a")
    assert [bodies(got) for got in await asyncio.gather(here, there)] == [["a"], ["a"]]
    assert not elsewhere.done()
    assert broker.room.wakeups == 2
    await send(broker, "b", queue=("default", "other"))
    assert bodies(await elsewhere) == ["b"]


# A store that suspends: messages come while somebody looks

HERE = (Q, "default")


@pytest.fixture
def room(broker: Broker) -> WaitingRoom:
    return broker.room


async def test_the_first_in_line_looks_and_the_others_sleep(room: WaitingRoom) -> None:
    first, second = (room.join(*HERE, deadline=HOUR) for _ in range(2))
    assert room.ask(first) is None
    assert room.ask(second) is not None


async def test_who_looks_in_vain_looks_again_when_a_message_came_meanwhile(room: WaitingRoom) -> None:
    only = room.join(*HERE, deadline=HOUR)
    room.wake(Q, 1)  # Nobody sleeps, and the look under way may have come too early.
    room.lie_down(only)
    assert room.ask(only) is None
    room.lie_down(only)
    assert room.ask(only) is not None


async def test_a_newcomer_looks_for_a_message_that_came_while_the_others_looked(room: WaitingRoom) -> None:
    first = room.join(*HERE, deadline=HOUR)
    room.wake(Q, 1)
    room.served(first, full=True)
    second = room.join(*HERE, deadline=HOUR)
    assert room.ask(second) is None
    third = room.join(*HERE, deadline=HOUR)
    assert room.ask(third) is not None
    room.served(second, full=True)
    room.leave(*HERE, second)
    assert room.ask(third) is None, "more than one may have come"


async def test_who_is_done_while_nobody_sleeps_leaves_the_wakeup_for_a_newcomer(room: WaitingRoom) -> None:
    first, second = (room.join(*HERE, deadline=HOUR) for _ in range(2))
    room.wake(Q, 1)  # For the second.
    room.leave(*HERE, second)
    third = room.join(*HERE, deadline=HOUR)
    assert room.ask(third) is None
    room.leave(*HERE, first)
    room.leave(*HERE, third)
    assert room.members == 0


# What ends a wait without a message


async def test_a_wait_ends_empty_at_its_deadline(broker: Broker, clock: VirtualClock) -> None:
    waiter = await waiting(broker.receive(Q, wait=20_000))
    await clock.sleep_through(19_999)
    assert not waiter.done()
    await clock.sleep_through(1)
    assert waiter.done()
    assert await waiter == []
    assert broker.room.members == 0


async def test_each_wait_has_its_own_deadline(broker: Broker, clock: VirtualClock) -> None:
    line = [await waiting(broker.receive(Q, wait=wait)) for wait in (3_000, 1_000, 2_000)]
    ended = []
    for _ in range(3):
        await clock.sleep_through(1_000)
        ended.append([waiter.done() for waiter in line])
    assert ended == [[False, True, False], [False, True, True], [True, True, True]]


async def test_a_cancelled_wait_leaves_the_line(broker: Broker) -> None:
    first, second = await waiters(broker, 2)
    first.cancel()
    await turns()
    assert broker.room.members == 1
    await send(broker, "a")
    assert bodies(await second) == ["a"]


async def test_a_cancelled_wait_passes_its_wakeup_on(broker: Broker) -> None:
    """F10: the message woke the first in line, who is cancelled before looking."""
    first, second, third = await waiters(broker, 3)
    await send(broker, "a")
    first.cancel()
    await turns()
    assert first.cancelled()
    assert bodies(await second) == ["a"]
    assert not third.done()


async def test_a_wakeup_survives_that_all_but_the_last_are_cancelled(broker: Broker) -> None:
    line = await waiters(broker, 20)
    await send(broker, "a")
    for waiter in line[:-1]:
        waiter.cancel()
    assert bodies(await line[-1]) == ["a"]


async def test_a_wakeup_that_meets_the_deadline_is_not_lost(broker: Broker, clock: VirtualClock) -> None:
    short = await waiting(broker.receive(Q, wait=1_000))
    patient = await waiting(broker.receive(Q, wait=HOUR))
    await send(broker, "a")
    clock.advance(1_000)  # The deadline passes before the woken one looks, and then it is cancelled.
    short.cancel()
    assert bodies(await patient) == ["a"]


async def test_deleting_the_queue_ends_waits_with_an_error(broker: Broker) -> None:
    line = await waiters(broker, 3)
    await broker.delete_queue(Q)
    for waiter in line:
        with pytest.raises(QueueNotFound, match="queue 'q' does not exist"):
            await waiter
    assert broker.room.members == 0


async def test_ending_waits_lets_them_return_empty_and_takes_no_new_work(broker: Broker) -> None:
    await send(broker, "held")
    held = await broker.receive(Q)
    line = await waiters(broker, 3)
    broker.end_waits()
    assert await asyncio.gather(*line) == [[], [], []]
    for verb in (lambda: send(broker, "x"), lambda: broker.receive(Q), lambda: broker.receive(Q, wait=HOUR)):
        with pytest.raises(QueueClosed, match="the broker is shutting down"):
            await verb()
    assert await broker.ack(Q, "default", held) == {}
    assert (await broker.stats(Q)).stored == 0


async def test_closing_again_does_nothing_and_afterwards_nothing_answers(broker: Broker) -> None:
    (waiter,) = await waiters(broker, 1)
    broker.end_waits()
    await broker.close()
    await broker.close()
    assert await waiter == []
    verbs: list[Callable[[], Awaitable[object]]] = [
        lambda: broker.receive(Q),
        lambda: broker.ack(Q, "default", [Receipt(1, 1, 1)]),
        lambda: broker.nack(Q, "default", [Receipt(1, 1, 1)]),
        lambda: broker.stats(Q),
        lambda: broker.queues("default"),
        lambda: broker.delete_messages(Q),
    ]
    for verb in verbs:
        with pytest.raises(QueueClosed):
            await verb()


# What else makes a message ready


async def test_a_delayed_message_wakes_at_its_time(broker: Broker, clock: VirtualClock) -> None:
    (waiter,) = await waiters(broker, 1)
    await send(broker, "a", delay=5_000)
    await clock.sleep_through(4_999)
    assert not waiter.done()
    await clock.sleep_through(1)
    assert bodies(await waiter) == ["a"]


async def test_a_delayed_message_sent_before_wakes_too(broker: Broker, clock: VirtualClock) -> None:
    await send(broker, "a", delay=5_000)
    (waiter,) = await waiters(broker, 1)
    await clock.sleep_through(5_000)
    assert bodies(await waiter) == ["a"]


async def test_many_that_become_ready_at_once_serve_many(broker: Broker, clock: VirtualClock) -> None:
    line = await waiters(broker, 4)
    await broker.send(Q, [Message(body.encode(), delay=5_000) for body in "abc"])
    await turns()
    await clock.sleep_through(5_000)
    assert [waiter.done() for waiter in line] == [True, True, True, False]
    await broker.close()


async def test_the_end_of_a_lease_wakes(broker: Broker, clock: VirtualClock) -> None:
    await send(broker, "a")
    (lost,) = await broker.receive(Q, lease=10_000)
    (waiter,) = await waiters(broker, 1)
    await clock.sleep_through(9_999)
    assert not waiter.done()
    await clock.sleep_through(1)
    (again,) = await waiter
    assert (again.id, again.attempt) == (lost.id, 2)


async def test_a_nack_wakes_at_its_retry_time(broker: Broker, clock: VirtualClock) -> None:
    await send(broker, "a", "b")
    one, two = await broker.receive(Q, limit=2)
    first, second = await waiters(broker, 2)
    await broker.nack(Q, "default", [one], delay=0)
    assert bodies(await first) == ["a"]
    await broker.nack(Q, "default", [two], delay=7_000)
    await turns()
    await clock.sleep_through(6_999)
    assert not second.done()
    await clock.sleep_through(1)
    assert bodies(await second) == ["b"]


@pytest.mark.parametrize("answer", ["ack", "reject", "delete"])
async def test_the_release_of_an_ordering_key_wakes(broker: Broker, answer: str) -> None:
    await send(broker, "a", "b", ordering_key="k")
    held = await broker.receive(Q)
    (waiter,) = await waiters(broker, 1)
    if answer == "ack":
        await broker.ack(Q, "default", held)
    elif answer == "reject":
        await broker.reject(Q, "default", held)
    else:
        await broker.delete_messages(Q, [held[0].id])
    assert bodies(await waiter) == ["b"]


async def test_redrive_wakes_and_so_does_a_dead_letter(broker: Broker) -> None:
    dlq = ("default", "q.dlq")
    await broker.create_queue(dlq)
    undertaker = await waiting(broker.receive(dlq, wait=HOUR))
    await send(broker, "a")
    await broker.reject(Q, "default", await broker.receive(Q))
    dead = await undertaker
    await broker.nack(dlq, "default", dead, delay=0)
    (waiter,) = await waiters(broker, 1)
    assert await broker.redrive(dlq) == 1
    assert bodies(await waiter) == ["a"]


async def test_resume_wakes_and_a_paused_queue_does_not(broker: Broker) -> None:
    await broker.update_queue(Q, Settings(paused=True))
    line = await waiters(broker, 3)
    await send(broker, "a", "b")
    await turns()
    assert not any(waiter.done() for waiter in line)
    await broker.update_queue(Q, Settings())
    await turns()
    assert [waiter.done() for waiter in line] == [True, True, False]


async def test_a_new_group_of_a_full_queue_waits_for_nothing(broker: Broker) -> None:
    await send(broker, "a")
    assert bodies(await broker.receive(Q, "late", wait=HOUR)) == ["a"]

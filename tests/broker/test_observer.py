"""The one hook: each message verb is told of once, with the number of its messages, and each failure by its code."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.core.errors import InvalidArgument, MessageExpired, QueueFull, QueueNotFound, StoreUnavailable
from crossdock.core.model import Message, Receipt, Settings
from crossdock.testing.clock import VirtualClock
from desk import HOUR, BrokenStore, Q, Recorder, send, turns, waiting


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


@pytest.fixture
def store() -> BrokenStore:
    return BrokenStore()


@pytest.fixture
async def watched(seen: Recorder, store: BrokenStore, clock: VirtualClock) -> AsyncIterator[Broker]:
    broker = Broker(store, AsyncRuntime(clock), seen)
    await broker.open()
    await broker.create_queue(Q, Settings(max_messages=5))
    yield broker
    store.error = None
    await broker.close()


async def test_each_verb_is_told_of_once_with_its_count(watched: Broker, seen: Recorder, clock: VirtualClock) -> None:
    await watched.send(Q, [Message(b"a"), Message(b"b"), Message(b"c")])
    taken = await watched.receive(Q, limit=3)
    await watched.extend(Q, "default", taken, 60_000)
    await watched.nack(Q, "default", taken[:1], delay=0)
    await watched.reject(Q, "default", taken[1:2])
    await watched.ack(Q, "default", taken[2:])
    await watched.receive(Q, limit=10)
    await watched.receive(Q, limit=10)
    assert seen.calls == [
        ("send", 3),
        ("receive", 3),
        ("extend", 3),
        ("nack", 1),
        ("reject", 1),
        ("ack", 1),
        ("receive", 1),
        ("receive", 0),
    ]
    assert seen.failures == []
    assert seen.addresses == {Q}
    assert set(seen.started) == {clock.now()}


async def test_a_waiting_receive_is_told_of_once(watched: Broker, seen: Recorder, clock: VirtualClock) -> None:
    began = clock.now()
    waiter = await waiting(watched.receive(Q, wait=HOUR))
    await clock.sleep_through(2_000)
    assert seen.calls == []
    await send(watched, "a", delay=1_000)
    await clock.sleep_through(1_000)
    await waiter
    assert seen.calls == [("send", 1), ("receive", 1)]
    assert seen.started == [began + 2_000, began]


async def test_a_wait_that_ends_empty_or_cancelled(watched: Broker, seen: Recorder, clock: VirtualClock) -> None:
    cancelled = await waiting(watched.receive(Q, wait=HOUR))
    empty = await waiting(watched.receive(Q, wait=1_000))
    cancelled.cancel()
    await clock.sleep_through(1_000)
    assert await empty == []
    assert (seen.calls, seen.failures) == ([("receive", 0)], [])


async def test_each_stale_receipt_is_a_failure_and_the_others_count(watched: Broker, seen: Recorder) -> None:
    await watched.send(Q, [Message(b"a"), Message(b"b")])
    taken = await watched.receive(Q, limit=2)
    stale = Receipt(taken[0].id, 10**6, taken[0].generation)
    await watched.ack(Q, "default", [stale, Receipt(10**6, 1, 1), *taken])
    assert seen.calls[-1] == ("ack", 2)
    assert seen.failures == [("ack", "lease_lost"), ("ack", "message_not_found")]


async def test_a_refused_verb_is_a_failure_and_not_done(watched: Broker, seen: Recorder, store: BrokenStore) -> None:
    with pytest.raises(QueueFull):
        await watched.send(Q, [Message(b"x") for _ in range(6)])
    with pytest.raises(MessageExpired):
        await watched.send(Q, [Message(b"x", delay=10, ttl=5)])
    with pytest.raises(QueueNotFound):
        await watched.receive(("default", "missing"), wait=1_000)
    store.fail()
    with pytest.raises(StoreUnavailable):
        await watched.ack(Q, "default", [Receipt(1, 1, 1)])
    assert seen.calls == []
    assert seen.failures == [
        ("send", "queue_full"),
        ("send", "message_expired"),
        ("receive", "queue_not_found"),
        ("ack", "store_unavailable"),
    ]


async def test_what_a_check_refuses_was_not_begun(watched: Broker, seen: Recorder) -> None:
    with pytest.raises(InvalidArgument):
        await watched.send(Q, [])
    assert (seen.calls, seen.failures) == ([], [])


async def test_concurrent_verbs_are_told_of_apart(watched: Broker, seen: Recorder) -> None:
    line = [await waiting(watched.receive(Q, wait=HOUR)) for _ in range(3)]
    await asyncio.gather(*(watched.send(Q, [Message(b"x")]) for _ in range(3)))
    await asyncio.gather(*line)
    await turns()
    assert sorted(seen.calls) == [("receive", 1)] * 3 + [("send", 1)] * 3

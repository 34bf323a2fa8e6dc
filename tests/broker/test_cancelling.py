"""F10: a receive that is cancelled while the store answers gives back what it was about to get."""

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.core.errors import QueueNotFound
from crossdock.core.model import Settings
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, SuspendingStore, bodies, send, turns


@pytest.fixture
def store() -> SuspendingStore:
    return SuspendingStore()


@pytest.fixture
async def slow(store: SuspendingStore, clock: VirtualClock) -> AsyncIterator[Broker]:
    broker = Broker(store, AsyncRuntime(clock))
    await broker.open()
    await broker.create_queue(Q, Settings(max_attempts=0))
    yield broker
    await broker.close()


@pytest.mark.parametrize("wait", [0, HOUR])
async def test_the_lease_of_a_cancelled_receive_is_given_back(slow: Broker, store: SuspendingStore, wait: int) -> None:
    await send(slow, "a")
    receive = asyncio.ensure_future(slow.receive(Q, wait=wait))
    await store.leased.wait()
    receive.cancel()
    await turns()
    assert receive.cancelled()
    assert (await slow.stats(Q)).leased == 1, "the store has not answered yet"
    store.answer.set()
    await turns()
    stats = await slow.stats(Q)
    assert (stats.ready, stats.leased) == (1, 0)
    (again,) = await slow.receive(Q)
    assert again.attempt == 2, "the hand-out counts: attempts never fall"


async def test_what_is_given_back_goes_to_the_next_in_line(slow: Broker, store: SuspendingStore) -> None:
    await send(slow, "a")
    receive = asyncio.ensure_future(slow.receive(Q, wait=HOUR))
    await store.leased.wait()
    patient = asyncio.ensure_future(slow.receive(Q, wait=HOUR))
    await turns()
    receive.cancel()
    store.answer.set()
    assert bodies(await patient) == ["a"]


async def test_at_most_once_is_not_given_back(slow: Broker, store: SuspendingStore) -> None:
    await send(slow, "a")
    receive = asyncio.ensure_future(slow.receive(Q, auto_ack=True))
    await store.leased.wait()
    receive.cancel()
    store.answer.set()
    await turns()
    assert receive.cancelled()
    assert (await slow.stats(Q)).stored == 0


async def test_close_waits_until_leases_are_given_back(slow: Broker, store: SuspendingStore) -> None:
    await send(slow, "a")
    receive = asyncio.ensure_future(slow.receive(Q))
    await store.leased.wait()
    receive.cancel()
    await turns()
    close = asyncio.ensure_future(slow.close())
    await turns()
    assert not close.done()
    store.answer.set()
    await close
    stats = await store.stats(Q, slow.clock.now())
    assert (stats.ready, stats.leased) == (1, 0)


async def test_a_cancelled_receive_that_failed_has_nothing_to_give_back(
    slow: Broker, store: SuspendingStore, caplog: pytest.LogCaptureFixture
) -> None:
    await send(slow, "a")
    receive = asyncio.ensure_future(slow.receive(Q))
    await store.leased.wait()
    store.failure = QueueNotFound("q")
    receive.cancel()
    store.answer.set()
    await slow.runtime.settle()
    gc.collect()
    assert receive.cancelled()
    assert caplog.records == [], "asyncio logs an error that nobody looked at"

"""A broker over a memory store on a clock that the test moves, and one over a store that answers when the test says."""

from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.core.model import Settings
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from desk import Q, SuspendingStore


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def broker(clock: VirtualClock) -> AsyncIterator[Broker]:
    broker = Broker(MemoryStore(), AsyncRuntime(clock))
    await broker.open()
    await broker.create_queue(Q, Settings(max_attempts=0))
    yield broker
    await broker.close()


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

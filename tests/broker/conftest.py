"""A broker over a memory store on a clock that the test moves."""

from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.core.model import Settings
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from desk import Q


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

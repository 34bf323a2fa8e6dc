"""What tests of the broker say often."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from crossdock.broker import Broker
from crossdock.core.errors import CrossdockError, Failures, StoreUnavailable
from crossdock.core.model import Address, Delivery, Done, Message, Receipt, Tick
from crossdock.storage.base import Abilities
from crossdock.storage.memory import MemoryStore

Q: Address = ("default", "q")
HOUR = 3_600_000


async def send(broker: Broker, *bodies: str, queue: Address = Q, **fields: Any) -> list[int]:
    """Send each body in a call of its own."""
    return [(await broker.send(queue, [Message(body.encode(), **fields)])).ids[0] for body in bodies]


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.message.body.decode() for delivery in deliveries]


async def turns() -> None:
    """Let every task go on until it waits for something that only the test can give."""
    for _ in range(30):
        await asyncio.sleep(0)


async def waiting(step: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start a receive that has to wait; returns when it does."""
    task = asyncio.ensure_future(step)
    await turns()
    assert not task.done()
    return task


class SuspendingStore(MemoryStore):
    """A memory store that answers a receive only when `answer` is set, as one with a disk would. Then it has leased."""

    abilities = Abilities(level="memory", shared=False, suspends=True)

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()
        self.leased = asyncio.Event()
        self.failure: CrossdockError | None = None

    async def receive(self, *args: Any, **kwargs: Any) -> list[Delivery]:  # type: ignore[override]
        deliveries = super().receive(*args, **kwargs).result
        self.leased.set()
        await self.answer.wait()
        if self.failure is not None:
            raise self.failure
        return deliveries


class BrokenStore(MemoryStore):
    """A memory store that fails while `error` is set."""

    error: Exception | None = None

    def fail(self) -> None:
        self.error = StoreUnavailable("the disk is full")

    async def tick(self, now: int) -> Tick:
        if self.error is not None:
            raise self.error
        return await super().tick(now)

    def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Done[Failures]:
        if self.error is not None:
            raise self.error
        return super().ack(address, group, receipts, now)


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.failures: list[tuple[str, str]] = []
        self.started: list[int] = []
        self.addresses: set[Address] = set()

    def done(self, verb: str, address: Address, count: int, started: int) -> None:
        self.calls.append((verb, count))
        self.started.append(started)
        self.addresses.add(address)

    def failed(self, verb: str, address: Address, error: CrossdockError) -> None:
        self.failures.append((verb, error.code))
        self.addresses.add(address)

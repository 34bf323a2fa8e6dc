"""Members that come, ask, are cancelled, answer and leave in any order lose no message, keep none, get none twice."""

import asyncio
import random
from typing import Any

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.broker.member import Member
from crossdock.core.model import Delivery, Message, Settings
from crossdock.storage.base import Abilities
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, turns

STEPS = 150


class Laggard(MemoryStore):
    """A memory store that answers a receive a few turns of the loop later."""

    abilities = Abilities(level="memory", shared=False, suspends=True)

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def receive(self, *args: Any, **kwargs: Any) -> list[Delivery]:  # type: ignore[override]
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        deliveries = super().receive(*args, **kwargs).result
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        return deliveries


class Consumer:
    """A member and what it does by chance: it asks, and answers what it got."""

    def __init__(self, broker: Broker, chance: random.Random, held: set[int]) -> None:
        self.member: Member = broker.join(Q, "default", chance.choice([1, 1, 2, 5, 100]), lease=HOUR)
        self._broker = broker
        self._chance = chance
        self._all_held = held
        self.held: list[Delivery] = []
        self.ask: asyncio.Future[Delivery | None] | None = None

    async def step(self) -> int:
        """Do one thing; returns how many messages are done by it."""
        if self.ask is not None and self.ask.done():
            self.take(self.ask)
        if self.ask is None:
            self.ask = asyncio.ensure_future(self.member.next())
        elif self._chance.random() < 0.3:
            self.ask.cancel()
            self.ask = None
        if self.held and self._chance.random() < 0.6:
            delivery = self.held.pop(self._chance.randrange(len(self.held)))
            self._all_held.discard(delivery.id)
            if self._chance.random() < 0.3:
                assert await self._broker.nack(Q, "default", [delivery], 0) == {}
            else:
                assert await self._broker.ack(Q, "default", [delivery]) == {}
                return 1
        return 0

    def take(self, ask: "asyncio.Future[Delivery | None]") -> None:
        self.ask = None
        delivery = ask.result()
        if delivery is not None:
            assert delivery.id not in self._all_held, "two hold it"
            self._all_held.add(delivery.id)
            self.held.append(delivery)

    async def leave(self) -> None:
        self._all_held.difference_update(delivery.id for delivery in self.held)
        if self.ask is not None and self.ask.done():
            self.ask.result()
        await self.member.close()


@pytest.mark.parametrize("seed", range(60))
async def test_nothing_is_lost_kept_or_handed_out_twice(seed: int) -> None:
    """F1, F10"""
    chance = random.Random(seed)
    broker = Broker(Laggard(chance) if seed % 2 else MemoryStore(), AsyncRuntime(VirtualClock()))
    await broker.create_queue(Q, Settings(max_attempts=0))
    sent = done = 0
    held: set[int] = set()
    consumers: list[Consumer] = []
    for _ in range(STEPS):
        what = chance.random()
        if what < 0.25:
            count = chance.choice([1, 1, 1, 10])
            await broker.send(Q, [Message(b"x") for _ in range(count)])
            sent += count
        elif what < 0.35 or not consumers:
            consumers.append(Consumer(broker, chance, held))
        elif what < 0.42:
            await consumers.pop(chance.randrange(len(consumers))).leave()
        else:
            done += await chance.choice(consumers).step()
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(0)
    for consumer in consumers:
        await consumer.leave()
    await turns()
    stats = await broker.stats(Q)
    assert (stats.leased, stats.ready) == (0, sent - done)
    assert (broker.members.rotations, broker.room.members) == ({}, 0)
    last = broker.join(Q, "default", 1)
    for _ in range(sent - done):
        delivery = await asyncio.wait_for(last.next(), 10)
        assert delivery is not None
        await broker.ack(Q, "default", [delivery])
    await broker.close()


@pytest.mark.parametrize("seed", range(30))
async def test_nobody_sleeps_while_there_is_a_message_and_room(seed: int) -> None:
    """No lost wake-up: whoever asks and has room gets what is there, whatever the others do."""
    chance = random.Random(seed)
    broker = Broker(Laggard(chance) if seed % 2 else MemoryStore(), AsyncRuntime(VirtualClock()))
    await broker.create_queue(Q, Settings(max_attempts=0))
    members = [broker.join(Q, "default", chance.choice([1, 2, 3]), lease=HOUR) for _ in range(5)]
    asks: dict[Member, asyncio.Future[Delivery | None]] = {}
    got = 0
    for number in range(STEPS):
        member = chance.choice(members)
        ask = asks.get(member)
        if ask is None:
            asks[member] = asyncio.ensure_future(member.next())
        elif not ask.done() and chance.random() < 0.4:
            asks.pop(member).cancel()
        for member in [member for member, ask in asks.items() if ask.done()]:
            delivery = asks.pop(member).result()
            assert delivery is not None
            got += 1
            await broker.ack(Q, "default", [delivery])
        if chance.random() < 0.5:
            await broker.send(Q, [Message(b"x")])
        if number % 10 == 9:
            for _ in range(10):  # until everything has come to rest
                await turns()
            ready = (await broker.stats(Q)).ready
            assert not ready or all(ask.done() for ask in asks.values()), "a message is there, and who has room sleeps"
    assert got
    await broker.close()

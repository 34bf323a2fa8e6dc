"""A load on a store in this process, through the public asyncio API."""

import asyncio
from collections.abc import Sequence

from crossdock.client.aio import Delivery, Queue, connect
from crossdock.storage.urls import open_store

from .drive import Caller, at_once, receive_all, send_all
from .load import Load
from .pace import Clock
from .report import BenchFailed
from .tally import Tally, together


class QueueCaller:
    """A Caller over a queue object."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def send(self, bodies: Sequence[bytes]) -> None:
        if len(bodies) == 1:
            await self._queue.send(bodies[0])
        else:
            await self._queue.send_many(bodies)

    async def receive(self, limit: int, wait_s: float) -> list[tuple[bytes, Delivery]]:
        return [(delivery.body, delivery) for delivery in await self._queue.receive(limit, wait=wait_s)]

    async def ack(self, answers: Sequence[Delivery]) -> None:
        failures = await self._queue.ack(answers)
        if failures:
            raise BenchFailed(f"an ack failed: {next(iter(failures.values()))}")


def level_of(store: str) -> str:
    """The publish level that a store gives."""
    return open_store(store).abilities.level


async def embedded_load(store: str, name: str, load: Load, clock: Clock) -> tuple[Tally, int]:
    """Put `load` through a new queue `name` of the store; returns the notes and when it began."""
    async with connect(store) as mq:
        queue = mq.queue(name)
        await queue.create()
        begin = clock.now()
        tally = await put_through(load, QueueCaller(queue), clock, begin)
        await queue.delete()
    return tally, begin


async def put_through(load: Load, caller: Caller, clock: Clock, begin: int) -> Tally:
    """Put `load` through one caller, which all senders and receivers use."""
    sent = asyncio.Event()

    async def send() -> Tally:
        tally = await send_all(load, range(load.senders), [caller] * load.senders, clock, begin)
        sent.set()
        return tally

    receive = receive_all(load, [caller] * load.receivers, clock, begin, sent.is_set)
    return together(await at_once([send(), receive]))

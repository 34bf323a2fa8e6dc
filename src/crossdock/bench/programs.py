"""What programs do with a durable store, from one loop: the side of a contest that is ours, for any store."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crossdock.client.aio import Queue, connect

from .contest import Measure, Sample, Side

BODY = b"x" * 100
SENDERS = 64
LIVES = 4
"""Tasks that each send, receive and ack."""
FILL = 1_000
"""Messages of a send that only prepares."""


async def send(queue: Queue, count: int) -> float:
    """Send one by one from 64 tasks."""

    async def sender() -> None:
        for _ in range(count // SENDERS):
            await queue.send(BODY)

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return time.perf_counter() - began


async def send_many(queue: Queue, count: int) -> float:
    """Send in hundreds."""
    batch = [BODY] * 100
    began = time.perf_counter()
    for _ in range(count // 100):
        await queue.send_many(batch)
    return time.perf_counter() - began


async def receive(queue: Queue, count: int) -> float:
    """Receive and ack in tens."""
    await fill(queue, count)
    began = time.perf_counter()
    for _ in range(count // 10):
        await queue.ack(await queue.receive(10))
    return time.perf_counter() - began


async def live(queue: Queue, count: int) -> float:
    """Send, receive and ack in hundreds, from a few tasks."""
    await queue.receive()  # so that the group is there, as it is in use

    async def life() -> None:
        batch = [BODY] * 100
        for _ in range(count // 100 // LIVES):
            await queue.send_many(batch)
            await queue.ack(await queue.receive(100))

    began = time.perf_counter()
    await asyncio.gather(*(life() for _ in range(LIVES)))
    return time.perf_counter() - began


async def fill(queue: Queue, count: int) -> None:
    """Put messages into a queue, in large batches."""
    await queue.receive()  # so that the group is there, as it is in use
    for start in range(0, count, FILL):
        await queue.send_many([BODY] * min(FILL, count - start))


@contextmanager
def opened(url: str) -> Iterator[tuple[asyncio.Runner, Queue]]:
    """A queue of a store, and the loop in which it can be used."""
    with asyncio.Runner() as runner:

        async def start() -> Queue:
            return (await connection).queue("bench")

        connection = connect(url)
        try:
            yield runner, runner.run(start())
        finally:
            runner.run(connection.close())


def side(url: Callable[[Path], str], run: Callable[[Queue, int], Awaitable[float]]) -> Side:
    """A side that runs on the store of that URL in the folder."""

    @contextmanager
    def opened_side(folder: Path) -> Iterator[Measure]:
        with opened(url(folder)) as (runner, queue):

            async def purged(count: int) -> float:
                await queue.create()
                await queue.purge()
                return await run(queue, count)

            yield lambda count: Sample(count, runner.run(purged(count)))

    return opened_side


def sqlite_url(folder: Path) -> str:
    """A SQLite store in the folder."""
    return f"sqlite:///{folder / 'crossdock.db'}"


def log_url(folder: Path) -> str:
    """A log store in the folder."""
    return f"log:///{folder / 'crossdock-log'}"

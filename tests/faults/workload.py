"""Senders and consumers that use everything a queue has, and write down what they see.

What a batch holds follows from its name alone, so that any process can send again what another one left unknown.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random

from crossdock import LeaseLost, Message, aio
from crossdock.broker import AsyncRuntime, Broker
from crossdock.broker.clock import LoopClock
from crossdock.client.transport import Transport
from crossdock.storage.base import Store
from crossdock.storage.log import LogStore
from crossdock.storage.sqlite import SqliteStore
from crossdock.testing.history import (
    NAME_HEADER,
    Delivered,
    Event,
    Fail,
    History,
    Invoke,
    Ok,
    Sent,
    Verb,
    digest,
    seen,
)

QUEUE, GROUPS = "jobs", ("a", "b")
LETTERS, KEEPER = "jobs.dlq", "keeper"
LEASE = "150ms"
SENDERS = 3
AHEAD_MS = 3 * 24 * 3600 * 1000
KEYS = (None, None, "red", "green", "blue")
ANSWERS = {"ack": 70, "extend": 6, "nack": 10, "nothing": 8, "reject": 6}
"""What consumers do, and how often. A dead letter that is rejected would be dropped."""


class AheadClock(LoopClock):
    """A clock that is days ahead: every lease, delay and retry (a day at most, and its jitter) has ended."""

    def now(self) -> int:  # type: ignore[override]
        return super().now() + AHEAD_MS


def store_of(path: Path, failpoint: Callable[[str], None]) -> Store:
    """The store at a path, whose suffix tells which. Short segments have the kills fall into their change too."""
    if path.suffix == ".log":
        return LogStore(path, segment_bytes=16 * 1024, failpoint=failpoint)
    return SqliteStore(path, failpoint=failpoint)


def connect(path: Path, failpoint: Callable[[str], None] = lambda step: None, ahead: bool = False) -> aio.Connection:
    """`aio.connect` to a store, with what its URL cannot say."""

    async def opened() -> Transport:
        clock = AheadClock(asyncio.get_running_loop()) if ahead else None
        broker = Broker(store_of(path, failpoint), AsyncRuntime(clock))
        await broker.open()
        return broker

    return aio.Connection(opened, "default")


async def set_up(mq: aio.Connection) -> None:
    """Make the queues and groups; each receive makes its group."""
    jobs = mq.queue(QUEUE, lease=LEASE, max_attempts=4, backoff="10ms")
    for group in GROUPS:
        await jobs.group(group).receive()
    await mq.queue(LETTERS, lease=LEASE).group(KEEPER).receive()


async def drain(path: Path) -> list[Delivered]:
    """Everything that is left in the store, for every group of every queue."""
    found: list[Delivered] = []
    async with connect(path, ahead=True) as mq:
        queues = [mq.queue(name) for name in await mq.queues()]
        while any([(await queue.stats()).stored for queue in queues]):
            before = len(found)
            for queue in queues:
                for group in (await queue.stats()).groups:
                    if deliveries := await queue.group(group).receive(100, lease="1m"):
                        found += [seen(delivery) for delivery in deliveries]
                        assert await queue.group(group).ack(deliveries) == {}
            assert len(found) > before, "messages are stored that no group gets"
    return found


def is_deduplicated(name: str) -> bool:
    return Random(name).random() < 0.5


def sender_of(name: str) -> str:
    """The letter that tells the processes of one time apart; each has ordering keys of its own."""
    return name.partition(".")[0][-1]


def batch(name: str) -> list[Message]:
    """The messages of a batch."""
    random = Random(name)
    dedup = random.random() < 0.5
    return [message(random, f"{name}/{number}", dedup) for number in range(random.choice((1, 1, 1, 4)))]


def message(random: Random, name: str, dedup: bool) -> Message:
    key = random.choice(KEYS)
    if key:
        key += sender_of(name)
    return Message(
        random.randbytes(random.choice((0, 40, 300, 6_000))),
        priority=0 if key else random.choice((0, 0, 0, -1, 5)),
        delay="30ms" if not key and random.random() < 0.2 else None,
        dedup_id=name if dedup else None,
        ordering_key=key,
        headers={NAME_HEADER: name},
    )


def to_repeat(before: Iterable[str], history: Iterable[Event]) -> list[str]:
    """Names of the batches with dedup ids whose sends have no answer yet: of those known before, and of new ones."""
    calls: dict[str, str] = {}
    names = dict.fromkeys(before)
    for event in history:
        if isinstance(event, Invoke) and event.verb == "send":
            name = event.sent[0].name.partition("/")[0]
            calls[event.call] = name
            if is_deduplicated(name):
                names[name] = None
        elif isinstance(event, Ok | Fail) and event.call in calls:
            names.pop(calls[event.call], None)
    return list(names)


class Workload:
    """The callers of one process."""

    def __init__(self, mq: aio.Connection, write: Callable[[bytes], object], process: str) -> None:
        self._jobs = mq.queue(QUEUE)
        self._letters = mq.queue(LETTERS).group(KEEPER)
        self._history = History(write, process)
        self._process = process
        self._random = Random(process)

    async def run(self, repeat: Iterable[str]) -> None:
        """Send and receive until something breaks; `repeat` is to be sent again."""
        async with asyncio.TaskGroup() as tasks:
            for name in repeat:
                tasks.create_task(self._send(name))
            for number in range(SENDERS):
                tasks.create_task(self._send_on(f"{self._process}.{number}"))
            for queue in (*(self._jobs.group(group) for group in GROUPS * 2), self._letters):
                tasks.create_task(self._consume(queue))

    async def _send_on(self, prefix: str) -> None:
        number = 0
        while True:
            number += 1
            await self._send(f"{prefix}.{number}")

    async def _send(self, name: str) -> None:
        messages = batch(name)
        sent = [Sent(each.headers[NAME_HEADER], digest(each.body)) for each in messages]
        with self._history.call("send", QUEUE, sent=sent) as call:
            call.ids = await self._jobs.send_many(messages)

    async def _consume(self, queue: aio.Queue) -> None:
        while True:
            patience = self._random.choice((None, None, None, 0.001, 0.02))
            with suppress(TimeoutError):
                await self._take_and_answer(queue, patience)

    async def _take_and_answer(self, queue: aio.Queue, patience: float | None) -> None:
        """Receive, unless patience ends: then the receive is cancelled, wherever it is (F10)."""
        with self._history.call("receive", queue.name, queue.group_name) as call:
            async with asyncio.timeout(patience):
                deliveries = await queue.receive(5, wait="1s")
            call.delivered = [seen(delivery) for delivery in deliveries]
        await asyncio.gather(*(self._answer(delivery) for delivery in deliveries))

    async def _answer(self, delivery: aio.Delivery) -> None:
        last = len(ANSWERS) - (delivery.queue.name == LETTERS)
        (answer,) = self._random.choices(list(ANSWERS)[:last], list(ANSWERS.values())[:last])
        with suppress(LeaseLost):
            if answer == "extend":
                await self._tell("extend", delivery, delivery.extend("300ms"))
            if answer in ("ack", "extend"):
                await self._tell("ack", delivery, delivery.ack())
            elif answer == "nack":
                await self._tell("nack", delivery, delivery.nack(error="try again"))
            elif answer == "reject":
                await self._tell("reject", delivery, delivery.reject("no good"))

    async def _tell(self, verb: Verb, delivery: aio.Delivery, step: Awaitable[None]) -> None:
        queue = delivery.queue
        with self._history.call(verb, queue.name, queue.group_name, delivered=seen(delivery)):
            await step

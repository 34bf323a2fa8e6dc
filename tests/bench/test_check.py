"""The checker of the bench fails when it should: a queue that loses, repeats or swaps is found out."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from crossdock.bench.body import SIZE_MIN, body_of, mark_of
from crossdock.bench.embedded_load import QueueCaller, put_through
from crossdock.bench.load import Load
from crossdock.bench.pace import SystemClock
from crossdock.bench.tally import Findings, check
from crossdock.client import aio

LOAD = Load(senders=2, receivers=1, messages=400, seconds=60, warmup=0, batch=5)


class Lossy(QueueCaller):
    """Accepts every message and keeps all but the first of a send."""

    async def send(self, bodies: Sequence[bytes]) -> None:
        await super().send(bodies[1:])


class Repeating(QueueCaller):
    """Hands out the last message of a receive twice."""

    async def receive(self, limit: int, wait_s: float) -> list[tuple[bytes, Any]]:
        got = await super().receive(limit, wait_s)
        return [*got, *got[-1:]]

    async def ack(self, answers: Sequence[Any]) -> None:
        await super().ack(answers[:-1])


class Swapping(QueueCaller):
    """Hands out the first two messages of a receive in the wrong order."""

    async def receive(self, limit: int, wait_s: float) -> list[tuple[bytes, Any]]:
        got = await super().receive(limit, wait_s)
        return [*got[1::-1], *got[2:]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (QueueCaller, Findings(0, 0, 0)),
        (Lossy, Findings(80, 0, 0)),
        (Repeating, Findings(0, 80, 0)),
        (Swapping, Findings(0, 0, 80)),
    ],
)
def test_what_a_queue_does_to_messages_is_found(kind: type[QueueCaller], expected: Findings) -> None:
    async def run() -> Findings:
        async with aio.connect("memory://") as mq:
            queue = mq.queue("bench")
            clock = SystemClock()
            tally = await put_through(LOAD, kind(queue), clock, clock.now())
            assert tally.timed_sent == sum(tally.sent.values()) == 400
            return check(tally.sent, tally.seen)

    assert asyncio.run(run()) == expected


def test_body_says_what_it_was_made_of() -> None:
    body = body_of(1_000, 10_000_000, 2**62, 100)
    assert len(body) == 100
    assert body.isascii()
    assert mark_of(body) == (1_000, 10_000_000, 2**62)
    assert mark_of(body_of(0, 0, 0, SIZE_MIN)) == (0, 0, 0)

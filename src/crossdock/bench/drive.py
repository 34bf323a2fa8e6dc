"""The loops of a sender and of a receiver, over whatever carries the messages."""

import asyncio
from array import array
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from .body import NUMBERS_MAX, bodies_of, mark_of
from .load import Load
from .pace import SECOND, Clock, Pace
from .tally import Tally, new_tally

T = TypeVar("T")

WAIT_S = 0.2
"""How long a receiver waits for messages before it asks whether any can still come."""


class Caller(Protocol):
    """One user of a queue. Raises what the queue raises: a benchmark in which calls fail measures nothing."""

    async def send(self, bodies: Sequence[bytes]) -> None: ...

    async def receive(self, limit: int, wait_s: float) -> Sequence[tuple[bytes, Any]]:
        """Bodies, each with what answers it."""
        ...

    async def ack(self, answers: Sequence[Any]) -> None: ...


async def send_all(load: Load, senders: Iterable[int], callers: Sequence[Caller], clock: Clock, begin: int) -> Tally:
    """Send the part of `load` that falls to `senders`, each through its caller."""
    tally = new_tally()
    await at_once(
        _send(load, sender, caller, clock, begin, tally) for sender, caller in zip(senders, callers, strict=True)
    )
    return tally


async def _send(load: Load, sender: int, caller: Caller, clock: Clock, begin: int, tally: Tally) -> None:
    pace = Pace(clock, begin, sender, load.senders, load.rate, load.batch)
    measured = begin + round(load.warmup * SECOND)
    end = measured + round(load.seconds * SECOND)
    quota = load.quota(sender)
    number = 0
    while number < quota:
        due = await pace.next()
        if due >= end:
            break
        last = min(number + load.batch, quota)
        await caller.send(bodies_of(sender, range(number, last), due, load.size))
        now = clock.now()
        if due >= measured:
            tally.send_times.append(now - due)
            tally.timed_sent += last - number
            tally.last_sent = max(tally.last_sent, now)
        number = last
    tally.sent[sender] = number


async def receive_all(
    load: Load, callers: Sequence[Caller], clock: Clock, begin: int, all_sent: Callable[[], bool]
) -> Tally:
    """Receive and ack until everything was sent and nothing is left."""
    tally = new_tally()
    await at_once(_receive(load, caller, clock, begin, all_sent, tally) for caller in callers)
    return tally


async def _receive(
    load: Load, caller: Caller, clock: Clock, begin: int, all_sent: Callable[[], bool], tally: Tally
) -> None:
    measured = begin + round(load.warmup * SECOND)
    seen = array("q")
    tally.seen.append(seen)
    while True:
        nothing_comes = all_sent()  # asked before the receive: what was sent until then is in the queue
        got = await caller.receive(load.batch, WAIT_S)
        if not got:
            if nothing_comes:
                return
            continue
        now = clock.now()
        for body, _ in got:
            sender, number, due = mark_of(body)
            seen.append(sender * NUMBERS_MAX + number)
            if due >= measured:
                tally.trip_times.append(now - due)
                tally.timed_received += 1
                tally.last_received = now
        await caller.ack([answer for _, answer in got])
        await clock.until(0)


async def at_once(steps: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run everything at once. The first failure ends the others and is raised."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()

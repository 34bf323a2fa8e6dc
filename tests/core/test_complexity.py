"""The cost of a send, receive or answer does not grow with the backlog, the leased messages or the number of queues.

Cost is counted, not timed: lines of Python run, which sees every loop written in Python, and the most memory held on
the way, which sees copies and sorts made in C.
"""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import median
from types import FrameType
from typing import Any

import pytest
from msgspec import structs

from crossdock.core.engine import Engine
from crossdock.core.model import Address, Delivery, Message, Settings

NOW = 1_000_000
ROUNDS = 30
SMALL = 200
"""Enough for all rounds: an empty queue would cost less."""
QUEUE: Address = ("default", "q")
LONG = 12 * 3600 * 1000


def lines_run(action: Callable[[], object]) -> int:
    """Lines of Python that `action` runs."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def memory_held(rounds: Iterator[None]) -> float:
    """The most memory, in bytes, that a round holds on top of what was held before; the median of the rounds.

    So a hash table that doubles once does not count, and a copy of the backlog in every round does.
    """
    peaks: list[int] = []
    gc.collect()
    tracemalloc.start()
    try:
        while True:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            if next(rounds, "end") == "end":
                return median(peaks)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


FULL = 0
"""Stands for as many messages as a world begins with."""

Make = Callable[[int], Message]
FLAVOURS: dict[str, tuple[Settings, Make]] = {
    # Settings, and how the n-th message is made.
    "plain": (Settings(), lambda n: Message(b"x")),
    "priorities": (Settings(), lambda n: Message(b"x", priority=n % 7)),
    "delayed": (Settings(), lambda n: Message(b"x", delay=(n * 7919) % 1_000 + 1 if n % 2 else 0)),
    "expiring": (Settings(ttl=60_000), lambda n: Message(b"x", ttl=1_000 + (n * 7919) % 1_000)),
    "dedup": (Settings(), lambda n: Message(b"x", dedup_id=f"d{n}")),
    "one key": (Settings(), lambda n: Message(b"x", ordering_key="k")),
    "many keys": (Settings(), lambda n: Message(b"x", ordering_key=f"k{n}")),
    "bounded": (Settings(max_messages=10**6, max_bytes=10**9), lambda n: Message(b"x")),
    "drop-oldest": (Settings(max_messages=10**6, overflow="drop-oldest"), lambda n: Message(b"x")),
    "dropping": (Settings(max_messages=FULL, overflow="drop-oldest"), lambda n: Message(b"x")),
    "topic": (Settings(kind="topic"), lambda n: Message(b"x")),
}


class World:
    """An engine with one queue under test and whatever else is asked for."""

    def __init__(self, flavour: str, backlog: int = SMALL, queues: int = 1, leased: int = 0) -> None:
        settings, self.make = FLAVOURS[flavour]
        self.engine = Engine()
        self.sent = 0
        self.lease = 30_000
        for number in range(queues - 1):
            other = ("default", f"other{number}")
            self.engine.create_queue(other, Settings(), NOW)
            self.engine.send(other, [Message(b"x"), Message(b"x", delay=LONG + number)], NOW)
            self.engine.receive(other, "g", 1, LONG + number, NOW)
        if settings.max_messages == FULL:
            settings = structs.replace(settings, max_messages=backlog + leased)
        self.engine.create_queue(QUEUE, settings, NOW)
        self.engine.create_group(QUEUE, "g", NOW)
        self.send(leased)
        held = 0
        while held < leased:
            taken = self.engine.receive(QUEUE, "g", 1_000, LONG, NOW)
            if not taken:  # Ordering keys or delays allow no more.
                break
            held += len(taken)
        self.send(backlog)

    def send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            self.engine.send(QUEUE, [self.make(self.sent)], NOW)

    def receive(self) -> list[Delivery]:
        return self.engine.receive(QUEUE, "g", 1, self.lease, NOW)

    def rounds(self) -> Iterator[None]:
        """Rounds of every verb on the path of a message, and a look at the time."""
        for number in range(ROUNDS):
            self.send(1)
            deliveries = self.receive()
            if number % 5 == 0:
                self.engine.extend(QUEUE, "g", deliveries, 60_000, NOW)
            if number % 3 == 1:
                self.engine.nack(QUEUE, "g", deliveries, NOW, 0.5)
            elif number % 3 == 2:
                self.engine.nack(QUEUE, "g", deliveries, NOW, 0.5, 0)
                self.engine.ack(QUEUE, "g", self.receive(), NOW)
            else:
                self.engine.ack(QUEUE, "g", deliveries, NOW)
            self.engine.tick(NOW)
            yield


def compare(flavour: str, small: dict[str, int], large: dict[str, int]) -> None:
    lines: list[int] = []
    memory: list[float] = []
    for size in (small, large):
        world = World(flavour, **size)
        list(world.rounds())  # What messages have yet to pay is paid here: that they were parked behind a key, once.
        lines.append(lines_run(lambda world=world: list(world.rounds())))  # type: ignore[misc]
        memory.append(memory_held(world.rounds()))
    assert lines[1] <= lines[0] * 1.1 + 30, f"{flavour}: {lines[0]} lines grew to {lines[1]}"
    assert memory[1] <= memory[0] + 2_000, f"{flavour}: {memory[0]} bytes grew to {memory[1]}"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_cost_does_not_grow_with_the_backlog(flavour: str) -> None:
    compare(flavour, {"backlog": SMALL}, {"backlog": 10_000})


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_cost_does_not_grow_with_the_number_of_queues(flavour: str) -> None:
    compare(flavour, {"queues": 1}, {"queues": 1_000})


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_cost_does_not_grow_with_what_is_leased(flavour: str) -> None:
    compare(flavour, {"leased": 0}, {"leased": 5_000})


def test_the_measure_sees_a_scan_and_a_copy() -> None:
    few, many = list(range(10)), list(range(10_000))
    assert lines_run(lambda: [n for n in many if n < 0]) > 100 * lines_run(lambda: [n for n in few if n < 0])

    def copies(numbers: list[int]) -> Iterator[None]:
        for _ in range(ROUNDS):
            len(sorted(numbers))
            yield

    assert memory_held(copies(many)) > memory_held(copies(few)) + 2_000

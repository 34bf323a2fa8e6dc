"""Open loop: latency counts from when a send was due, so that a stall is charged to everything it delays."""

import asyncio
from collections.abc import Sequence

from crossdock.bench.drive import send_all
from crossdock.bench.load import Load
from crossdock.bench.pace import SECOND, Pace
from crossdock.bench.tally import Tally

MS = SECOND // 1000


class StepClock:
    """A clock that stands still unless somebody waits, or takes his time."""

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> int:
        return self.time

    async def until(self, due: int) -> None:
        self.time = max(self.time, due)


class Stalling:
    """A queue whose answers take 1 ms, the first one `stall`."""

    def __init__(self, clock: StepClock, stall: int) -> None:
        self._clock = clock
        self._takes = stall

    async def send(self, bodies: Sequence[bytes]) -> None:
        self._clock.time += self._takes
        self._takes = MS

    async def receive(self, limit: int, wait_s: float) -> Sequence[tuple[bytes, object]]:
        return []

    async def ack(self, answers: Sequence[object]) -> None: ...


def run(load: Load, stall: int = MS) -> Tally:
    clock = StepClock()
    return asyncio.run(send_all(load, [0], [Stalling(clock, stall)], clock, 0))


def test_a_stall_is_charged_to_every_send_that_it_delays() -> None:
    tally = run(Load(senders=1, messages=6, rate=100, warmup=0), 35 * MS)
    # Due at 0, 10, 20, 30, 40, 50 ms; answered at 35, 36, 37, 38, 41, 51.
    assert list(tally.send_times) == [35 * MS, 26 * MS, 17 * MS, 8 * MS, MS, MS]


def test_flat_out_a_send_is_due_when_the_one_before_is_answered() -> None:
    assert list(run(Load(senders=1, messages=3, warmup=0), 35 * MS).send_times) == [35 * MS, MS, MS]


def test_warm_up_is_sent_and_not_timed() -> None:
    tally = run(Load(senders=1, messages=100, seconds=0.2, rate=100, warmup=0.1))
    assert tally.sent == {0: 30}
    assert tally.timed_sent == len(tally.send_times) == 20


def test_senders_share_the_rate_evenly() -> None:
    async def dues(sender: int) -> list[int]:
        pace = Pace(StepClock(), 0, sender, 4, 100, 2)
        return [await pace.next() for _ in range(2)]

    assert [asyncio.run(dues(sender)) for sender in range(4)] == [
        [0, 80 * MS],
        [20 * MS, 100 * MS],
        [40 * MS, 120 * MS],
        [60 * MS, 140 * MS],
    ]

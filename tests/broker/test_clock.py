"""The real clocks: they never fall, and their alarms ring once, in order, unless called off."""

import asyncio
import threading

from crossdock.broker.clock import LoopClock, SystemClock, ThreadClock

PATIENCE = 30.0


def alarm_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "crossdock-alarm"]


def test_time_never_falls() -> None:
    clock = SystemClock()
    read = [(clock.now(), clock.monotonic()) for _ in range(10_000)]
    assert read == sorted(read)
    assert read[0][0] > 1_700_000_000_000, "wall time, in milliseconds since the epoch"


def test_alarms_ring_in_order_of_their_time() -> None:
    clock = ThreadClock()
    rung: list[str] = []
    done = threading.Event()
    now = clock.now()
    clock.alarm(now + 60, lambda: (rung.append("last"), done.set()))
    clock.alarm(now + 20, lambda: rung.append("first"))
    clock.alarm(now + 40, lambda: rung.append("second"))
    assert done.wait(PATIENCE)
    assert rung == ["first", "second", "last"]
    assert clock.now() >= now + 60


def test_an_alarm_called_off_does_not_ring() -> None:
    clock = ThreadClock()
    rung: list[str] = []
    done = threading.Event()
    now = clock.now()
    cancel = clock.alarm(now + 20, lambda: rung.append("called off"))
    clock.alarm(now + 40, done.set)
    cancel()
    cancel()
    assert done.wait(PATIENCE)
    assert rung == []


def test_the_thread_lives_while_there_are_alarms() -> None:
    before = set(alarm_threads())
    clock = ThreadClock()
    assert set(alarm_threads()) == before
    cancels = [clock.alarm(clock.now() + 3_600_000 + number, lambda: None) for number in range(1_000)]
    (thread,) = set(alarm_threads()) - before
    for cancel in cancels:
        cancel()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    done = threading.Event()
    clock.alarm(clock.now(), done.set)
    assert done.wait(PATIENCE), "another alarm starts another thread"


async def test_alarms_ring_on_the_loop() -> None:
    clock = LoopClock(asyncio.get_running_loop())
    rung: list[int] = []
    done = asyncio.Event()
    caller = threading.get_ident()
    now = clock.now()
    cancel = clock.alarm(now + 10, lambda: rung.append(0))
    clock.alarm(now + 20, lambda: (rung.append(threading.get_ident()), done.set()))
    cancel()
    await asyncio.wait_for(done.wait(), PATIENCE)
    assert rung == [caller]
    assert clock.now() >= now + 20

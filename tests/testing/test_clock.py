"""The virtual clock, alone and under a whole server."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import crossdock
from crossdock.testing import VirtualClock
from crossdock.testing.server import RunningServer

HOUR = 3_600_000


def test_it_moves_only_when_told_to() -> None:
    clock = VirtualClock(start=1_000)
    assert (clock.now(), clock.monotonic()) == (1_000, 1_000)
    clock.advance(250)
    assert (clock.now(), clock.monotonic()) == (1_250, 1_250)


def test_alarms_fire_in_order_at_their_own_time() -> None:
    clock = VirtualClock(start=0)
    fired: list[tuple[str, int]] = []
    for name, at in (("third", 30), ("first", 10), ("second", 20), ("also second", 20), ("never", 31)):
        clock.alarm(at, lambda name=name: fired.append((name, clock.now())))  # type: ignore[misc]
    clock.advance(30)
    assert fired == [("first", 10), ("second", 20), ("also second", 20), ("third", 30)]
    assert clock.now() == 30


def test_an_alarm_that_was_called_off_does_not_fire() -> None:
    clock = VirtualClock(start=0)
    fired: list[int] = []
    cancel = clock.alarm(10, lambda: fired.append(1))
    clock.alarm(20, lambda: fired.append(2))
    cancel()
    cancel()
    clock.advance(100)
    assert fired == [2]


def test_a_callback_may_set_alarms_inside_the_window() -> None:
    clock = VirtualClock(start=0)
    fired: list[int] = []

    def again() -> None:
        fired.append(clock.now())
        clock.alarm(clock.now() + 10, again)

    clock.alarm(10, again)
    clock.advance(35)
    assert fired == [10, 20, 30]


def test_an_alarm_for_a_time_that_has_come_fires_at_once_in_another_thread() -> None:
    clock = VirtualClock(start=100)
    threads: list[threading.Thread] = []
    fired = threading.Event()

    def fire() -> None:
        threads.append(threading.current_thread())
        fired.set()

    clock.alarm(100, fire)
    assert fired.wait(10)
    assert threads[0] is not threading.current_thread()


def test_it_does_not_go_backwards() -> None:
    with pytest.raises(ValueError, match="-1"):
        VirtualClock().advance(-1)


def test_threads_may_set_alarms_while_it_moves() -> None:
    clock = VirtualClock(start=0)
    fired = threading.Semaphore(0)
    threads = [
        threading.Thread(target=lambda: [clock.alarm(at, fired.release) for at in range(1, 201)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        clock.advance(10)
        thread.join()
    clock.advance(1_000)
    assert all(fired.acquire(timeout=10) for _ in range(800))
    assert not fired.acquire(blocking=False)


async def test_sleeping_through_lets_each_task_act_at_its_own_time() -> None:
    clock = VirtualClock(start=0)
    seen: list[int] = []

    async def every(ms: int) -> None:
        while True:
            rang = asyncio.Event()
            clock.alarm(clock.now() + ms, rang.set)
            await rang.wait()
            seen.append(clock.now())

    task = asyncio.create_task(every(HOUR))
    await clock.sleep_through(12 * HOUR)
    task.cancel()
    assert seen == [hour * HOUR for hour in range(1, 13)]


def test_twelve_hours_pass_for_a_whole_server() -> None:
    """F22: a delay of 12 hours, through HTTP, to the millisecond."""
    clock = VirtualClock()
    with RunningServer(clock=clock) as server, crossdock.connect(server.url) as mq:
        jobs = mq.queue("jobs")
        jobs.send("later", delay="12h")
        assert jobs.receive() == []
        clock.advance(12 * HOUR - 1)
        assert jobs.receive() == []
        clock.advance(1)
        assert [message.text() for message in jobs.receive()] == ["later"]


def test_a_long_poll_gets_what_comes_due_while_it_waits() -> None:
    clock = VirtualClock()
    with RunningServer(clock=clock) as server, crossdock.connect(server.url) as mq, ThreadPoolExecutor() as pool:
        jobs = mq.queue("jobs")
        jobs.send("later", delay="59m")
        poll = pool.submit(jobs.receive, wait="1h")
        clock.advance(59 * 60_000)
        assert [message.text() for message in poll.result(30)] == ["later"]

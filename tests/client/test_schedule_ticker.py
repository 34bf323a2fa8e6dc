"""Schedules at work: once for each tick, however many processes send it, and what becomes of those that are late."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from datetime import datetime
from pathlib import Path

import pytest

import crossdock
from crossdock import InvalidArgument, Received, Worker, aio
from crossdock.testing import VirtualClock
from desk import turns
from working import Log, Record, WorkerProcess, virtual, working

HERE = Path(__file__).parent
START = int(datetime.fromisoformat("2026-11-24T08:30:00+00:00").timestamp() * 1000)
MINUTE = 60_000
HOUR = 60 * MINUTE


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    logger = logging.getLogger("crossdock.worker")
    handler = Log()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


@pytest.fixture
async def mq(clock: VirtualClock) -> AsyncIterator[aio.Connection]:
    async with virtual(clock) as connection:
        yield connection


def scheduled(mq: aio.Connection, clock: VirtualClock, expression: str = "0 * * * *", body: object = "go") -> Worker:
    worker = Worker(mq, clock=clock)
    worker.cron(expression, "reports", body)
    return worker


async def sent(mq: aio.Connection) -> list[str]:
    """The ticks whose messages are stored, in order, as hours and minutes."""
    found = await mq.queue("reports").peek(100)
    return [(each.message.headers or {})["x-tick"][11:16] for each in found]


def events(log: Log) -> list[tuple[str, str]]:
    return [(record["event"], record["tick"][11:16]) for record in log.records if "tick" in record]


async def test_every_tick_is_one_message_for_many_workers(mq: aio.Connection, clock: VirtualClock, log: Log) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(working(scheduled(mq, clock)))
        await log.until(lambda records: len(records) == 3)
        await clock.sleep_through(30 * MINUTE - 1)
        assert await sent(mq) == []
        await clock.sleep_through(1)
        assert await sent(mq) == ["09:00"]
        await clock.sleep_through(2 * HOUR)
        assert await sent(mq) == ["09:00", "10:00", "11:00"]
    assert sorted(events(log)) == [("tick sent", f"{hour}:00") for hour in ("09", "10", "11") for _ in range(3)]
    assert (await mq.queue("reports").stats()).totals.duplicates == 6


async def test_tick_goes_to_the_handler_with_its_time(mq: aio.Connection, clock: VirtualClock, log: Log) -> None:
    worker, seen = scheduled(mq, clock, body={"report": "hourly"}), []

    @worker.handler("reports")
    async def handle(message: Received) -> None:
        seen.append((message.json(), message.headers["x-tick"]))

    async with working(worker):
        await log.event("working")
        await clock.sleep_through(HOUR)
    assert seen == [({"report": "hourly"}, "2026-11-24T09:00:00+00:00")]


@pytest.mark.parametrize(("started", "expected"), [("09:00:00", ["09:00"]), ("09:00:59", ["09:00"]), ("09:01:00", [])])
async def test_tick_of_the_minute_before_the_start_is_sent(
    mq: aio.Connection, clock: VirtualClock, log: Log, started: str, expected: list[str]
) -> None:
    """A program that restarts when a tick is due neither misses it nor sends it twice; older ones are not made up."""
    clock.advance(int(datetime.fromisoformat(f"2026-11-24T{started}+00:00").timestamp() * 1000) - START)
    for _ in range(2):
        async with working(scheduled(mq, clock)):
            await log.event("working")
            await clock.sleep_through(0)
            await turns()
    assert await sent(mq) == expected


async def test_worker_that_starts_on_a_tick_of_every_minute_sends_that_one(
    mq: aio.Connection, clock: VirtualClock, log: Log
) -> None:
    async with working(scheduled(mq, clock, "* * * * *")):
        await log.event("tick sent")
        await clock.sleep_through(0)
    assert events(log) == [("tick sent", "08:30")]


async def test_full_queue_gets_the_tick_when_it_has_room(mq: aio.Connection, clock: VirtualClock, log: Log) -> None:
    reports = mq.queue("reports", max_messages=1)
    await reports.send("old")
    async with working(scheduled(mq, clock)):
        await log.event("working")
        await clock.sleep_through(35 * MINUTE)
        assert events(log)[0] == ("tick failed, will try again", "09:00")
        assert await reports.purge() == 1
        await clock.sleep_through(MINUTE)
        assert await sent(mq) == ["09:00"]
    assert events(log)[-1] == ("tick sent", "09:00")


async def test_tick_is_given_up_when_its_dedup_id_may_be_forgotten(
    mq: aio.Connection, clock: VirtualClock, log: Log
) -> None:
    """Half of the window: beyond it another process may have sent the tick in time, and the queue not remember."""
    reports = mq.queue("reports", max_messages=1, dedup_window="20m")
    await reports.send("old")
    async with working(scheduled(mq, clock)):
        await log.event("working")
        await clock.sleep_through(40 * MINUTE)
        assert events(log)[-1] == ("tick missed", "09:00")
        await reports.purge()
        await clock.sleep_through(50 * MINUTE - 1)
        assert await sent(mq) == []
        await clock.sleep_through(1)
        assert await sent(mq) == ["10:00"]


async def test_tick_is_given_up_for_the_next_one(mq: aio.Connection, clock: VirtualClock, log: Log) -> None:
    reports = mq.queue("reports", max_messages=1)
    await reports.send("old")
    async with working(scheduled(mq, clock, "*/10 * * * *")):
        await log.event("working")
        await clock.sleep_through(25 * MINUTE)
        await reports.purge()
        await clock.sleep_through(MINUTE)
        assert await sent(mq) == ["08:50"]
    told = [event for event in events(log) if event[0] != "tick failed, will try again"]
    assert told == [("tick missed", "08:30"), ("tick missed", "08:40"), ("tick sent", "08:50")]


async def test_process_that_stood_still_sends_the_latest_tick_alone(
    mq: aio.Connection, clock: VirtualClock, log: Log
) -> None:
    async with working(scheduled(mq, clock, "*/10 * * * *")):
        await log.event("tick sent")  # 08:30
        clock.advance(25 * MINUTE)  # in one step: the loop sees nothing of the time between
        await log.until(lambda records: ("tick sent", "08:50") in events(log))
    assert events(log) == [("tick sent", "08:30"), ("tick missed", "08:40"), ("tick sent", "08:50")]


async def test_tick_with_another_body_is_not_sent_twice(mq: aio.Connection, clock: VirtualClock, log: Log) -> None:
    async with working(scheduled(mq, clock, body="old")), working(scheduled(mq, clock, body="new")):
        await log.until(lambda records: len(records) == 2)
        await clock.sleep_through(30 * MINUTE)
        assert await sent(mq) == ["09:00"]
    assert {record["message_id"] for record in log.records if "tick" in record} == {1, None}


async def test_queue_with_a_short_window_is_refused(mq: aio.Connection, clock: VirtualClock) -> None:
    await mq.queue("reports", dedup_window="1m").create()
    with pytest.raises(InvalidArgument, match="dedup_window of queue 'reports' must be at least 5m"):
        await scheduled(mq, clock).serve()


async def test_worker_ends_when_the_connection_of_its_schedule_is_closed(
    mq: aio.Connection, clock: VirtualClock, log: Log
) -> None:
    task = asyncio.create_task(scheduled(mq, clock).serve())
    await log.event("working")
    await mq.close()
    await clock.sleep_through(HOUR)
    with pytest.raises(crossdock.QueueClosed):
        await task


def ticks_of(log: list[Record]) -> dict[str, int]:
    return {record["tick"]: record["message_id"] for record in log if record["event"] == "tick sent"}


def test_two_processes_on_one_file_send_each_tick_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/reports.db"
    with ExitStack() as stack:
        workers = [stack.enter_context(WorkerProcess("reports:worker", HERE, REPORTS_URL=url)) for _ in range(2)]
        for worker in workers:
            worker.wait_for("tick sent")
        common = ticks_of(workers[0].log).keys() & ticks_of(workers[1].log).keys()
        while not common:  # They started in different minutes: the next one begins within a minute.
            for worker in workers:
                worker.wait_for("tick sent", len(ticks_of(worker.log)) + 1)
            common = ticks_of(workers[0].log).keys() & ticks_of(workers[1].log).keys()
        for worker in workers:
            worker.process.send_signal(signal.SIGTERM)
            assert worker.end() == 0
    first, second = (ticks_of(worker.log) for worker in workers)
    assert {tick: first[tick] for tick in common} == {tick: second[tick] for tick in common}
    with crossdock.connect(url) as mq:
        found = mq.queue("reports").receive(100)
    assert [each.headers["x-tick"] for each in found] == sorted(first | second)

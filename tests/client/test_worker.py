"""Workers in the test's own loop: what they take, what they answer, how they stop."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import crossdock
from crossdock import (
    InvalidArgument,
    QueueClosed,
    RateLimited,
    Received,
    Reject,
    StoreFailed,
    StoreUnavailable,
    Worker,
    aio,
)
from crossdock.broker import AsyncRuntime, Broker
from crossdock.client.worker_handler import error_text
from crossdock.client.worker_patience import Patience
from crossdock.core.errors import Failures
from crossdock.core.model import Address, Delivery, Done
from crossdock.storage.memory import MemoryStore
from crossdock.testing import VirtualClock
from crossdock.testing.server import RunningServer
from desk import turns
from working import Log, virtual, working

BACKOFF_MS = 30_000
LEASE_MS = 30_000


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    logger = logging.getLogger("crossdock.worker")
    handler = Log()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


@pytest.fixture(params=["memory", "sqlite", "log", "http"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "http":
        with RunningServer() as server:
            yield server.url
    else:
        yield "memory://" if request.param == "memory" else f"{request.param}:///{tmp_path}/jobs"


@pytest.fixture
async def mq(url: str) -> AsyncIterator[aio.Connection]:
    async with aio.connect(url) as connection:
        yield connection


@pytest.fixture
async def slow() -> AsyncIterator[aio.Connection]:
    """Queues in memory, on the clock of the test."""
    async with virtual(VirtualClock()) as connection:
        yield connection


def clock_of(mq: aio.Connection) -> VirtualClock:
    transport = mq.transport
    assert isinstance(transport, Broker)
    assert isinstance(transport.clock, VirtualClock)
    return transport.clock


def at_work(mq: aio.Connection, **options: Any) -> Worker:
    """A worker on the connection's own virtual clock."""
    return Worker(mq, clock=clock_of(mq), **options)


class Gate:
    """What a sync handler waits at until the test opens it."""

    def __init__(self) -> None:
        self.inside: list[int] = []
        self._open = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def wait(self, message: Received) -> None:
        self.inside.append(message.id)
        self._loop.call_soon_threadsafe(self._news.set)
        self._open.wait()

    def open(self) -> None:
        self._open.set()

    async def reached(self, count: int) -> None:
        while len(self.inside) < count:
            self._news.clear()
            await self._news.wait()


# Handling


async def test_sync_and_async_handlers(mq: aio.Connection, log: Log) -> None:
    worker, seen = Worker(mq), []

    @worker.handler("sync", concurrency=2)
    def handle(message: Received) -> None:
        seen.append((message.json(), message.headers["trace"], message.attempt, threading.current_thread().name[:14]))

    @worker.handler("async", group="g", concurrency=2)
    async def handle_async(message: Received) -> None:
        await asyncio.sleep(0)
        seen.append((message.json(), message.headers["trace"], message.attempt, threading.current_thread().name))

    async with working(worker):
        ids = [await mq.queue(name).send({"order": 42}, headers={"trace": name}) for name in ("sync", "async")]
        await log.attempts(2)
    assert sorted(seen, key=lambda each: each[1]) == [
        ({"order": 42}, "async", 1, threading.current_thread().name),
        ({"order": 42}, "sync", 1, "crossdock-sync"),
    ]
    assert [(await mq.queue(name).stats()).stored for name in ("sync", "async")] == [0, 0]
    records = {record["queue"]: record for record in log.records if "outcome" in record}
    for name, group, sent in (("sync", "default", ids[0]), ("async", "g", ids[1])):
        seconds = records[name].pop("seconds")
        assert isinstance(seconds, float)
        about = {"message_id": sent, "queue": name, "group": group, "attempt": 1, "outcome": "acked"}
        assert records[name] == {"event": "attempt acked", "level": "info"} | about


async def test_failures_come_back_and_end_in_the_dead_letter_queue(mq: aio.Connection, log: Log) -> None:
    await mq.queue("orders", max_attempts=2, backoff="1ms").create()
    sent = await mq.queue("orders").send(b"secret")
    worker = Worker(mq)

    @worker.handler("orders")
    def handle(message: Received) -> None:
        raise ValueError("no such customer")

    async with working(worker):
        found = await log.attempts(2)
    assert found == {sent: [("orders", 1, "nacked"), ("orders", 2, "nacked")]}
    (letter,) = await mq.queue("orders.dlq").receive()
    assert letter.headers["x-error"] == "ValueError: no such customer"
    assert (letter.headers["x-reason"], letter.headers["x-attempts"]) == ("attempts", "2")
    assert "secret" not in str(log.records)


async def test_reject_dead_letters_at_once(mq: aio.Connection, log: Log) -> None:
    sent = await mq.queue("orders").send("x")
    worker = Worker(mq)

    @worker.handler("orders")
    async def handle(message: Received) -> None:
        raise Reject("no such customer")

    async with working(worker):
        assert await log.attempts(1) == {sent: [("orders", 1, "rejected")]}
    (letter,) = await mq.queue("orders.dlq").receive()
    assert (letter.headers["x-error"], letter.headers["x-reason"]) == ("no such customer", "rejected")


@pytest.mark.parametrize(("retry", "delay"), [(None, BACKOFF_MS), ("10s", 10_000), (0, 0)])
async def test_retry_is_the_queues_backoff_unless_the_handler_says(
    slow: aio.Connection, log: Log, retry: str | int | None, delay: int
) -> None:
    await slow.queue("orders").send("x")
    worker = at_work(slow)

    @worker.handler("orders", retry=retry)
    async def handle(message: Received) -> None:
        if message.attempt == 1:
            raise ValueError

    async with working(worker):
        await log.attempts(1)
        if delay:
            await clock_of(slow).sleep_through(delay - 1)
            assert len(log.records) == 2, "not earlier"
            await clock_of(slow).sleep_through(delay // 10 + 1)  # the jitter of a backoff
        await log.attempts(2)
    assert [record.get("error") for record in log.records if "outcome" in record] == ["ValueError", None]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("never")


def answer_with_a_coroutine(message: Received) -> object:
    return asyncio.sleep(0)


def raising(error: BaseException) -> Callable[[Received], None]:
    def handle(message: Received) -> None:
        raise error

    return handle


def raising_async(error: BaseException) -> Callable[[Received], Any]:
    async def handle(message: Received) -> None:
        raise error

    return handle


@pytest.mark.parametrize("kind", [raising, raising_async])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (Unprintable(), "Unprintable: its text cannot be had: RuntimeError"),
        (ValueError("two\nlines \x1b[31m"), "ValueError: two\\nlines \\x1b[31m"),
        (asyncio.CancelledError(), "CancelledError"),
    ],
    ids=["exit", "unprintable", "odd text", "cancelled"],
)
async def test_whatever_a_handler_raises_is_one_failed_attempt(
    mq: aio.Connection, log: Log, kind: Callable[[BaseException], Callable[[Received], Any]], error: Any, text: str
) -> None:
    await mq.queue("orders", max_attempts=1).create()
    await mq.queue("orders").send("x")
    worker = Worker(mq)
    worker.handler("orders")(kind(error))
    async with working(worker):
        await log.attempts(1)
    (letter,) = await mq.queue("orders.dlq").receive()
    assert letter.headers["x-error"] == text


def test_text_of_an_error_can_be_stored_and_sent() -> None:
    assert error_text(ValueError("half a character: \ud800")) == "ValueError: half a character: \\ud800"


async def test_function_that_returns_a_coroutine_has_not_handled_the_message(log: Log) -> None:
    async with aio.connect("memory://") as mq:
        await mq.queue("orders").send("x")
        worker = Worker(mq)
        worker.handler("orders")(answer_with_a_coroutine)
        async with working(worker):
            await log.attempts(1)
    (record,) = [record for record in log.records if "outcome" in record]
    assert record["outcome"] == "nacked"
    assert record["error"] == "TypeError: the handler returned a coroutine; declare it with `async def`"


async def test_object_with_a_coroutine_call_is_awaited(log: Log) -> None:
    class Handle:
        seen = ""

        async def __call__(self, message: Received) -> None:
            self.seen = message.text()

    async with aio.connect("memory://") as mq:
        await mq.queue("orders").send("x")
        worker, handle = Worker(mq), Handle()
        assert worker.handler("orders")(handle) is handle
        async with working(worker):
            await log.attempts(1)
    assert handle.seen == "x"


async def test_topic_is_handled_for_a_group(log: Log) -> None:
    async with aio.connect("memory://") as mq:
        await mq.topic("news").create()
        worker = Worker(mq)

        @worker.handler("news", group="audit")
        async def handle(message: Received) -> None:
            return None

        async with working(worker):
            await log.event("working")
            await turns()
            sent = await mq.topic("news").send("x")
            assert await log.attempts(1) == {sent: [("news", 1, "acked")]}


async def test_no_more_is_leased_than_there_are_free_places(mq: aio.Connection, log: Log) -> None:
    orders, gate = mq.queue("orders"), Gate()
    sent = await orders.send_many("abcde")
    worker = Worker(mq)
    worker.handler("orders", concurrency=2)(gate.wait)
    async with working(worker):
        await gate.reached(2)
        stats = await orders.stats()
        assert (stats.leased, stats.ready) == (2, 3)
        gate.open()
        assert await log.attempts(5) == {each: [("orders", 1, "acked")] for each in sent}


async def test_sync_handler_sends_by_the_connection_of_the_worker(mq: aio.Connection, log: Log) -> None:
    worker = Worker(mq)

    @worker.handler("orders")
    def handle(message: Received) -> None:
        worker.wait_for(worker.connection.queue("mails").send(message.body))

    async with working(worker):
        await mq.queue("orders").send("x")
        await log.attempts(1)
    (mail,) = await mq.queue("mails").receive()
    assert mail.text() == "x"
    with pytest.raises(QueueClosed, match="the worker is not running"):
        worker.wait_for(mq.queue("mails").send("y"))


async def test_coroutine_handler_must_not_block_the_worker(log: Log) -> None:
    async with aio.connect("memory://") as mq:
        await mq.queue("orders").send("x")
        worker = Worker(mq)

        @worker.handler("orders")
        async def handle(message: Received) -> None:
            worker.wait_for(mq.queue("mails").send("x"))

        async with working(worker):
            await log.attempts(1)
    assert any("must be awaited in a coroutine handler" in record.get("error", "") for record in log.records)


# Leases


async def test_lease_is_kept_while_a_handler_blocks(slow: aio.Connection, log: Log) -> None:
    """F44: a hundred leases long, and nobody else gets the message."""
    orders, gate, clock = slow.queue("orders"), Gate(), clock_of(slow)
    sent = await orders.send("x")
    worker = at_work(slow)
    worker.handler("orders", lease=LEASE_MS / 1000)(gate.wait)
    async with working(worker):
        await gate.reached(1)
        for _ in range(100):
            await clock.sleep_through(LEASE_MS)
            assert await orders.receive() == []
        gate.open()
        assert await log.attempts(1) == {sent: [("orders", 1, "acked")]}
    assert [record["seconds"] for record in log.records if "outcome" in record] == [100 * LEASE_MS / 1000]


async def test_result_does_not_count_when_the_lease_is_lost(slow: aio.Connection, log: Log) -> None:
    orders, gate, clock = slow.queue("orders"), Gate(), clock_of(slow)
    sent = await orders.send("x")
    worker = at_work(slow)
    worker.handler("orders", lease=LEASE_MS / 1000)(gate.wait)
    async with working(worker):
        await gate.reached(1)
        await orders.purge()
        await clock.sleep_through(2 * LEASE_MS)
        assert len([record for record in log.records if record["event"].startswith("lease lost")]) == 1
        gate.open()
        assert await log.attempts(1) == {sent: [("orders", 1, "lost")]}
    assert (await orders.stats()).totals.acked == 0


async def test_lost_lease_is_told_by_the_answer_too(slow: aio.Connection, log: Log) -> None:
    sent = await slow.queue("orders").send("x")
    worker = at_work(slow)

    @worker.handler("orders")
    async def handle(message: Received) -> None:
        await slow.queue("orders").purge()

    async with working(worker):
        assert await log.attempts(1) == {sent: [("orders", 1, "lost")]}


# A store that does not answer


class Fickle(MemoryStore):
    """A memory store whose verbs fail while they are named in `failing`; one in `heard` is done nevertheless."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.failure: StoreUnavailable = StoreUnavailable("the disk is away")
        self.heard: set[str] = set()

    def _check(self, verb: str) -> None:
        if verb in self.failing:
            raise self.failure

    def receive(self, *args: Any, **kwargs: Any) -> Done[list[Delivery]]:
        self._check("receive")
        return super().receive(*args, **kwargs)

    def extend(self, *args: Any, **kwargs: Any) -> Done[Failures]:
        self._check("extend")
        return super().extend(*args, **kwargs)

    def nack(self, *args: Any, **kwargs: Any) -> Done[Failures]:
        self._check("nack")
        return super().nack(*args, **kwargs)

    def ack(self, address: Address, group: str, receipts: Any, now: int) -> Done[Failures]:
        if "ack" in self.heard:
            super().ack(address, group, receipts, now)
        self._check("ack")
        return super().ack(address, group, receipts, now)


@pytest.fixture
async def fickle() -> AsyncIterator[tuple[Fickle, aio.Connection]]:
    store = Fickle()
    async with virtual(VirtualClock(), store) as connection:
        yield store, connection


async def test_answer_is_given_again_until_it_is_heard(fickle: tuple[Fickle, aio.Connection], log: Log) -> None:
    store, mq = fickle
    sent = await mq.queue("orders").send("x")
    store.failing = {"ack"}
    worker = at_work(mq)
    worker.handler("orders", lease=LEASE_MS / 1000)(lambda message: None)
    async with working(worker):
        await log.event("answer failed, will try again")
        await clock_of(mq).sleep_through(10 * LEASE_MS)
        store.failing = set()
        await clock_of(mq).sleep_through(LEASE_MS)
        assert await log.attempts(1) == {sent: [("orders", 1, "acked")]}
    assert {record["error"] for record in log.records if "error" in record} == {"the disk is away"}


async def test_answer_that_may_have_been_heard_is_unknown(fickle: tuple[Fickle, aio.Connection], log: Log) -> None:
    """F9: a failed call is not a call that did nothing."""
    store, mq = fickle
    sent = await mq.queue("orders").send("x")
    store.failing = store.heard = {"ack"}
    worker = at_work(mq)
    worker.handler("orders")(lambda message: None)
    async with working(worker):
        await log.event("answer failed, will try again")
        store.failing = set()
        await clock_of(mq).sleep_through(LEASE_MS)
        assert await log.attempts(1) == {sent: [("orders", 1, "unknown")]}


async def test_taking_goes_on_when_the_store_is_back(fickle: tuple[Fickle, aio.Connection], log: Log) -> None:
    store, mq = fickle
    sent = await mq.queue("orders").send("x")
    store.failing = {"receive"}
    worker = at_work(mq)
    worker.handler("orders")(lambda message: None)
    async with working(worker):
        await log.event("receive failed, will try again")
        await clock_of(mq).sleep_through(20 * LEASE_MS)
        failures = len(log.records) - 1
        assert failures < 40, "the pauses grow"
        store.failing = set()
        await clock_of(mq).sleep_through(LEASE_MS)
        assert await log.attempts(1) == {sent: [("orders", 1, "acked")]}


async def test_pause_is_as_long_as_a_busy_server_asks_for(
    slow: aio.Connection, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    async def receive(*args: object) -> None:
        tries.append(clock_of(slow).now())
        raise RateLimited(300)

    worker = at_work(slow)
    worker.handler("orders")(lambda message: None)
    monkeypatch.setattr(slow.transport, "receive", receive)
    async with working(worker):
        await log.event("receive failed, will try again")
        await clock_of(slow).sleep_through(600_000)
    assert [at - tries[0] for at in tries] == [0, 300_000, 600_000]


async def test_one_extension_may_fail(fickle: tuple[Fickle, aio.Connection], log: Log) -> None:
    store, mq = fickle
    gate, clock = Gate(), clock_of(mq)
    sent = await mq.queue("orders").send("x")
    worker = at_work(mq)
    worker.handler("orders", lease=LEASE_MS / 1000)(gate.wait)
    async with working(worker):
        await gate.reached(1)
        store.failing = {"extend"}
        await clock.sleep_through(LEASE_MS // 3)
        store.failing = set()
        await clock.sleep_through(LEASE_MS)
        gate.open()
        assert await log.attempts(1) == {sent: [("orders", 1, "acked")]}
    assert [record["event"] for record in log.records].count("leases were not extended") == 1


async def test_stop_does_not_wait_for_a_store_that_is_away(fickle: tuple[Fickle, aio.Connection], log: Log) -> None:
    store, mq = fickle
    sent = await mq.queue("orders").send_many("ab")
    gate = Gate()
    worker = at_work(mq, grace="10s")

    @worker.handler("orders", concurrency=2)
    def handle(message: Received) -> None:
        if message.text() == "b":
            gate.wait(message)

    store.failing = {"ack", "nack"}
    async with working(worker) as task:
        await gate.reached(1)
        await log.event("answer failed, will try again")
        worker.stop()
        await log.event("stopping")
        await clock_of(mq).sleep_through(10_000)
        await task
    outcomes = {record["message_id"]: record["outcome"] for record in log.records if "outcome" in record}
    assert outcomes == dict.fromkeys(sent, "unknown")
    gate.open()
    await log.event("handler ended after its message was given back")


async def test_deleted_queue_is_taken_from_again_once_it_is_back(slow: aio.Connection, log: Log) -> None:
    worker = at_work(slow)
    worker.handler("orders")(lambda message: None)
    async with working(worker):
        await log.event("working")
        await slow.queue("orders").delete()
        await clock_of(slow).sleep_through(120_000)
        await log.event("receive failed, will try again")
        sent = await slow.queue("orders").send("x")
        await clock_of(slow).sleep_through(LEASE_MS)
        assert await log.attempts(1) == {sent: [("orders", 1, "acked")]}


async def test_worker_ends_when_its_connection_is_closed(mq: aio.Connection, log: Log) -> None:
    worker = Worker(mq)
    worker.handler("orders")(lambda message: None)
    task = asyncio.create_task(worker.serve())
    await log.event("working")
    await mq.close()
    with pytest.raises(QueueClosed):
        await task


async def test_disk_that_failed_under_its_store_ends_the_worker(
    fickle: tuple[Fickle, aio.Connection], log: Log
) -> None:
    """F15: only who opens the store again can go on, so whoever runs the worker is to start it again."""
    store, mq = fickle
    sent = await mq.queue("orders").send("x")
    store.failure = StoreFailed("the disk failed")
    worker = at_work(mq)

    @worker.handler("orders")
    async def handle(message: Received) -> None:
        store.failing = {"ack", "receive"}

    with pytest.raises(StoreFailed, match="the disk failed"):
        await worker.serve()
    assert await log.attempts(1) == {sent: [("orders", 1, "unknown")]}


async def test_server_whose_disk_failed_is_waited_for() -> None:
    async with aio.connect("http://127.0.0.1:9") as mq:
        patience = Patience(AsyncRuntime(), mq)
        assert not patience.is_final(StoreFailed("the disk failed"))
        await mq.close()
        assert patience.is_final(StoreUnavailable("cannot reach the server"))


async def test_fault_of_the_store_ends_the_worker(slow: aio.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(*args: object) -> None:
        raise ZeroDivisionError

    worker = at_work(slow)
    worker.handler("orders")(lambda message: None)
    monkeypatch.setattr(slow.transport, "receive", receive)
    with pytest.raises(ZeroDivisionError):
        await worker.serve()


# Stopping


async def test_stop_lets_handlers_finish_and_takes_nothing_new(mq: aio.Connection, log: Log) -> None:
    orders, gate = mq.queue("orders"), Gate()
    first = await orders.send("a")
    worker = Worker(mq)
    worker.handler("orders", concurrency=2)(gate.wait)
    async with working(worker) as task:
        await gate.reached(1)
        worker.stop()
        await log.event("stopping")
        second = await orders.send("b")
        gate.open()
        await task
        assert await log.attempts(1) == {first: [("orders", 1, "acked")]}
    (waiting,) = await orders.receive()
    assert (waiting.id, waiting.attempt) == (second, 1)


async def test_what_is_not_finished_at_the_deadline_is_given_back(mq: aio.Connection, log: Log) -> None:
    ids = {name: await mq.queue(name).send("x") for name in ("sync", "async")}
    gate, cancelled = Gate(), []
    worker = Worker(mq, grace="10ms")
    worker.handler("sync")(gate.wait)
    begun = asyncio.Event()

    @worker.handler("async")
    async def handle(message: Received) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(message.id)

    async with working(worker) as task:
        await gate.reached(1)
        await begun.wait()
        worker.stop()
        await task
        assert await log.attempts(2) == {sent: [(name, 1, "returned")] for name, sent in ids.items()}
    assert cancelled == [ids["async"]]
    for name, sent in ids.items():
        (again,) = await mq.queue(name).receive()
        assert (again.id, again.attempt) == (sent, 2)
    gate.open()
    late = await log.event("handler ended after its message was given back")
    assert (late["message_id"], late["queue"]) == (ids["sync"], "sync")
    assert "outcome" not in late


async def test_coroutine_that_goes_on_after_its_message_was_given_back_is_told_of(log: Log) -> None:
    async with aio.connect("memory://") as mq:
        sent = await mq.queue("orders").send("x")
        worker, begun, release = Worker(mq, grace=0), asyncio.Event(), asyncio.Event()

        @worker.handler("orders")
        async def handle(message: Received) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await release.wait()

        async with working(worker) as task:
            await begun.wait()
            worker.stop()
            await task
        release.set()
        assert await log.attempts(1) == {sent: [("orders", 1, "returned")]}
        assert (await log.event("handler ended after its message was given back"))["message_id"] == sent


async def test_cancelled_worker_gives_its_messages_back(mq: aio.Connection, log: Log) -> None:
    orders, gate = mq.queue("orders"), Gate()
    sent = await orders.send("x")
    worker = Worker(mq)
    worker.handler("orders")(gate.wait)
    task = asyncio.create_task(worker.serve())
    await gate.reached(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    assert await log.attempts(1) == {sent: [("orders", 1, "returned")]}
    (again,) = await orders.receive()
    assert again.attempt == 2


async def test_idle_worker_leaves_nothing_leased(mq: aio.Connection, log: Log) -> None:
    worker = Worker(mq)
    worker.handler("orders")(lambda message: None)
    async with working(worker):
        await log.event("working")
    await mq.queue("orders").send("x")
    (delivery,) = await mq.queue("orders").receive()
    assert delivery.attempt == 1


async def test_handler_may_stop_its_worker_and_the_worker_may_run_again(log: Log) -> None:
    async with aio.connect("memory://") as mq:
        worker = Worker(mq)

        @worker.handler("orders")
        def handle(message: Received) -> None:
            worker.stop()

        for number in (1, 2):
            await mq.queue("orders").send("x")
            await worker.serve()
            await log.attempts(number)
        assert not mq.closed
    worker.stop()  # does nothing


async def test_stop_while_the_store_is_opened(log: Log) -> None:
    asked, opens = asyncio.Event(), asyncio.Event()

    async def open_late() -> Broker:
        asked.set()
        await opens.wait()
        return Broker(MemoryStore(), AsyncRuntime())

    async with asyncio.timeout(30):
        worker = Worker(aio.Connection(open_late, "default"))
        worker.handler("orders")(lambda message: None)
        serving = asyncio.create_task(worker.serve())
        await asked.wait()
        worker.stop()
        opens.set()
        await serving
    assert [record["event"] for record in log.records] == ["working", "stopping", "stopped"]
    await worker.connection.close()


def test_run_in_a_thread_of_its_own(tmp_path: Path) -> None:
    worker, seen = Worker(f"sqlite:///{tmp_path}/jobs.db"), []

    @worker.handler("orders")
    def handle(message: Received) -> None:
        seen.append(message.text())
        worker.stop()

    async def send() -> None:
        async with aio.connect(f"sqlite:///{tmp_path}/jobs.db") as mq:
            await mq.queue("orders").send("x")

    asyncio.run(send())
    thread = threading.Thread(target=worker.run)
    thread.start()
    thread.join(30)
    assert seen == ["x"]
    assert worker.connection.closed
    with pytest.raises(QueueClosed):
        worker.run()


def test_thread_that_waits_for_a_worker_that_has_ended_is_told() -> None:
    worker, ended = Worker("memory://", grace=0), []
    told = threading.Event()

    async def stop_and_go_on() -> None:
        worker.stop()
        await asyncio.Event().wait()

    @worker.handler("orders")
    def handle(message: Received) -> None:
        try:
            worker.wait_for(stop_and_go_on())
        except QueueClosed as error:
            ended.append(str(error))
        told.set()

    async def send_and_serve() -> None:
        await (await worker.connection).queue("orders").send("x")
        await worker.serve()

    asyncio.run(send_and_serve())
    assert told.wait(30)
    assert ended == ["the worker has ended meanwhile"]


# Bad values


def generator(message: Received) -> Iterator[None]:
    yield


async def async_generator(message: Received) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"queue": "a b"}, "queue must be 1 to 200 letters"),
        ({"queue": 7}, "queue must be 1 to 200 letters"),
        ({"group": ""}, "group must be 1 to 200 letters"),
        ({"concurrency": 0}, "concurrency must be a whole number from 1 to 1000, got 0"),
        ({"concurrency": 1001}, "concurrency must be a whole number from 1 to 1000, got 1001"),
        ({"lease": 0}, "lease must be a whole number from 1 to 43200000 ms, got 0"),
        ({"lease": "13h"}, "lease must be"),
        ({"retry": -1}, 'retry must be a duration such as 5, "300ms" or "1m30s", got -1'),
        ({"retry": "400d"}, "retry must be"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(options: dict[str, Any], told: str) -> None:
    worker = Worker("memory://")
    with pytest.raises(InvalidArgument, match=told):
        worker.handler(**({"queue": "orders"} | options))(lambda message: None)


def test_handler_without_its_queue_is_refused_at_once() -> None:
    worker: Any = Worker("memory://")
    with pytest.raises(InvalidArgument, match="queue must be 1 to 200 letters"):

        @worker.handler
        def handle(message: Received) -> None: ...


@pytest.mark.parametrize("function", [None, 7, generator, async_generator])
def test_handler_must_be_a_function(function: Any) -> None:
    with pytest.raises(InvalidArgument, match="handler must be a function or coroutine function"):
        Worker("memory://").handler("orders")(function)


def test_queue_has_one_handler_in_a_group() -> None:
    worker = Worker("memory://")
    worker.handler("orders")(lambda message: None)
    worker.handler("orders", group="audit")(lambda message: None)
    with pytest.raises(InvalidArgument, match="queue must have one handler in group 'audit', got 'orders'"):
        worker.handler("orders", group="audit")(lambda message: None)


def test_bad_url_and_grace_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="store must"):
        Worker("redis://localhost")
    with crossdock.connect("memory://") as blocking, pytest.raises(InvalidArgument, match="url must be text"):
        Worker(blocking)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="grace must be a duration"):
        Worker("memory://", grace="soon")


async def test_worker_without_work_or_at_work_already_is_refused(slow: aio.Connection, log: Log) -> None:
    worker = at_work(slow)
    with pytest.raises(InvalidArgument, match="worker must have a handler or a schedule"):
        await worker.serve()
    worker.handler("orders")(lambda message: None)
    async with working(worker):
        await log.event("working")
        with pytest.raises(InvalidArgument, match="must not be running already"):
            await worker.serve()
        with pytest.raises(InvalidArgument, match="must not be running already"):
            worker.handler("mails")(lambda message: None)
        with pytest.raises(InvalidArgument, match="must not be running already"):
            worker.cron("* * * * *", "mails", "x")


async def test_server_that_is_not_there_is_told_at_the_start() -> None:
    worker = Worker("http://127.0.0.1:9")
    worker.handler("orders")(lambda message: None)
    with pytest.raises(StoreUnavailable, match="cannot reach"):
        await worker.serve()
    assert worker.connection.closed

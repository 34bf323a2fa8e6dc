"""Every line of the GoMQ contract, on each store, in the blocking and the asyncio API.

The docstrings name the line. "Server" asks for a listener that is to come; its SDK is tried over HTTP. The published
figures are measured by `crossdock bench`, not here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

import crossdock
from crossdock import (
    CrossdockError,
    InvalidArgument,
    LeaseLost,
    Message,
    MessageExpired,
    MessageNotFound,
    QueueClosed,
    QueueFull,
    QueueNotFound,
    aio,
)
from crossdock.config import load
from crossdock.testing import VirtualClock
from desk import turns
from flavours import Flavour
from served import ServerThread

STORES = {"memory": "memory://", "sqlite": "sqlite:///{}/gomq.db", "log": "log:///{}/log"}
SECOND, HOUR = 1_000, 3_600_000


@pytest.fixture(params=["blocking", "asyncio"])
def api(request: pytest.FixtureRequest) -> AsyncIterator[Flavour]:
    flavour = Flavour(request.param)
    yield flavour
    flavour.close()


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return STORES[request.param].format(tmp_path)


@pytest.fixture
def clock(api: Flavour) -> VirtualClock:
    return api.clock


@pytest.fixture
async def mq(api: Flavour, url: str) -> AsyncIterator[Any]:
    connection = await api.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def orders(mq: Any) -> Any:
    return await mq.queue("orders", backoff="10s")


def texts(deliveries: list[Any]) -> list[str]:
    return [delivery.text() for delivery in deliveries]


async def one(queue: Any, **options: Any) -> Any:
    (delivery,) = await queue.receive(**options)
    return delivery


async def asks(step: Awaitable[Any]) -> "asyncio.Future[Any]":
    """Begin something that is to wait, in whichever thread."""
    future = asyncio.ensure_future(step)
    await turns()
    return future


# Broker


async def test_create_with_settings_and_start(api: Flavour, url: str) -> None:
    """create with settings (default TTL, max message size, max queue depth, max retries); start"""
    mq = await api.connect(
        url, defaults={"ttl": "1h", "max_messages": 2, "max_attempts": 1, "backoff": 0}, max_body_bytes=4
    )
    orders = await mq.queue("orders")
    await orders.send("a")
    with pytest.raises(InvalidArgument, match="body must have at most 4 bytes, got '5 bytes'"):
        await orders.send("large")
    await orders.send("b")
    with pytest.raises(QueueFull):
        await orders.send("c")
    await (await one(orders)).nack()
    assert (await orders.stats()).dead == 1
    api.clock.advance(HOUR)
    assert await orders.receive(10) == []
    own = await mq.queue("own", ttl=0, max_messages=3)
    await own.send_many(["a", "b", "c"])
    await mq.close()


async def test_enable_metrics_and_their_interval(api: Flavour, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Broker settings also: enable metrics, metrics interval"""
    caplog.set_level("INFO", "crossdock.counts")
    mq = await api.connect(url, metrics_interval="10s")
    await (await mq.queue("orders")).send("a")
    logged = []
    for number in (1, 2):
        await api.clock.sleep_through(10 * SECOND)
        while len(told := [record for record in caplog.records if record.name == "crossdock.counts"]) < number:
            await asyncio.sleep(0.001)
        logged.append(told[-1])
    assert [(record.queue, record.stored, record.totals["sent"]) for record in logged] == [("orders", 1, 1)] * 2
    await mq.close()


async def test_shutdown_waits_for_what_is_in_flight(api: Flavour, url: str) -> None:
    """shutdown with a deadline, waiting for in-flight work: no new work is accepted, in-flight work finishes"""
    mq = await api.connect(url)
    orders = await mq.queue("orders")
    consumer = await orders.subscribe(prefetch=2)
    await orders.send_many(["a", "b", "c"])
    held = await consumer.take()
    closing = await asks(mq.close(timeout="30s"))
    while not mq._it.transport._closing:
        await turns()
    for new in (orders.send("d"), orders.receive()):
        with pytest.raises(QueueClosed):
            await new
    assert await consumer.take() is None
    assert not closing.done()
    await held.ack()
    await closing
    if url != "memory://":
        mq = await api.connect(url)
        assert texts(await (await mq.queue("orders")).receive(10)) == ["b", "c"], "everything accepted is durable"
        await mq.close()


async def test_shutdown_returns_leases_at_the_deadline(api: Flavour, url: str) -> None:
    """in-flight work finishes or its lease is returned"""
    mq = await api.connect(url)
    orders = await mq.queue("orders")
    consumer = await orders.subscribe(lease="12h")
    await orders.send("a")
    held = await consumer.take()
    store = mq._it.transport.store
    closing = await asks(mq.close(timeout="30s"))
    while not closing.done():
        api.clock.advance(SECOND)
        await asyncio.sleep(0.001)
    await closing
    assert api.clock.now() < held.lease_until * SECOND, "the lease has not ended by itself"
    with pytest.raises(QueueClosed):
        await held.ack()
    if url == "memory://":
        assert (await store.stats(("default", "orders"), api.clock.now())).ready == 1
    else:
        mq = await api.connect(url)
        assert (await one(await mq.queue("orders"))).attempt == 2
        await mq.close()


async def test_create_get_delete_and_list(mq: Any) -> None:
    """create/get/delete/list queues; create/get/delete/list topics"""
    for missing in (mq.get_queue("orders"), mq.get_topic("news")):
        with pytest.raises(QueueNotFound, match=r"queue '(orders|news)' does not exist"):
            await missing
    assert await (await mq.queue("orders", lease="2m")).create() is True
    assert await (await mq.topic("news")).create() is True
    assert await (await mq.topic("news")).create() is False
    assert (await mq.queues(), await mq.topics()) == (["orders"], ["news"])
    assert (await (await mq.get_queue("orders")).stats()).settings.lease == 120_000
    with pytest.raises(QueueNotFound):
        await mq.get_queue("news")
    with pytest.raises(QueueNotFound):
        await mq.get_topic("orders")
    await (await mq.get_queue("orders")).delete()
    await (await mq.get_topic("news")).delete()
    assert (await mq.queues(), await mq.topics()) == ([], [])


async def test_create_a_consumer_group_and_add_consumers(orders: Any) -> None:
    """create consumer group (name, queue) and add consumers to it"""
    billing = await orders.group("billing")
    assert (await billing.create_group(), await billing.create_group()) == (True, False)
    consumers = [await billing.subscribe(name) for name in ("first", "second")]
    await orders.send_many(["a", "b"])
    assert texts([await consumer.take() for consumer in consumers]) == ["a", "b"]
    assert set((await orders.stats()).groups) == {"billing"}


# Message


async def test_a_message_says_everything_about_itself(orders: Any, clock: VirtualClock) -> None:
    """new(payload); set/get header(s), priority, TTL, delay, deduplication id; id; timestamp"""
    message = Message({"order": 42})
    message.headers["trace"] = "1"
    message.priority, message.ttl, message.delay, message.dedup_id = 3, "1h", "5s", "order-42"
    assert (message.body, message.headers, message.delay) == ({"order": 42}, {"trace": "1"}, "5s")
    sent = clock.now()
    (message_id,) = await orders.send_many([message])
    clock.advance(5 * SECOND)
    got = await one(orders)
    assert (got.id, got.json(), got.headers, got.priority) == (message_id, {"order": 42}, {"trace": "1"}, 3)
    assert (got.dedup_id, got.enqueued_at, got.expires_at) == ("order-42", sent / 1000, (sent + HOUR) / 1000)


async def test_ack_nack_and_reject(mq: Any, orders: Any) -> None:
    """ack, nack, reject (reject = do not retry: straight to the DLQ)"""
    await orders.send_many(["a", "b", "c"])
    done, again, never = await orders.receive(3)
    await done.ack()
    await again.nack(delay=0)
    await never.reject("no")
    assert texts(await orders.receive(3)) == ["b"]
    letter = await one(await mq.queue("orders.dlq"))
    assert (letter.text(), letter.attempt, letter.headers["x-reason"]) == ("c", 1, "rejected")


# Queue


async def test_publish_one_and_a_batch(orders: Any) -> None:
    """publish one; publish a batch"""
    first = await orders.send("a")
    assert await orders.send_many(["b", Message("c")]) == [first + 1, first + 2]
    assert texts(await orders.receive(10)) == ["a", "b", "c"]


async def test_subscribe_is_an_iterator_that_can_be_closed(api: Flavour, orders: Any) -> None:
    """subscribe(consumer id) -> an iterator of messages, closable"""
    await orders.send_many(["a", "b", "c"])
    got = []
    if api.blocking:

        def loop() -> None:
            for delivery in orders._it.subscribe("me", prefetch=3):
                got.append(delivery.text())
                delivery.ack()
                if len(got) == 2:
                    break

        await asyncio.to_thread(loop)
    else:
        async with orders._it.subscribe("me", prefetch=3) as deliveries:
            async for delivery in deliveries:
                got.append(delivery.text())
                await delivery.ack()
                if len(got) == 2:
                    break
    assert got == ["a", "b"]
    stats = await orders.stats()
    assert (stats.ready, stats.leased) == (1, 0), "left, the loop gives back what it has not answered"
    consumer = await orders.subscribe("me")
    assert (await orders.peek())[0].state == "ready"
    assert (await consumer.take()).text() == "c"
    waits = await asks(consumer.take())
    await consumer.close()
    assert await waits is None
    assert (await orders.stats()).ready == 1


async def test_depth_purge_and_stats(orders: Any) -> None:
    """depth; purge; stats"""
    await orders.send_many(["a", "b", "c"])
    await (await one(orders)).ack()
    await one(orders)
    stats = await orders.stats()
    assert (stats.stored, stats.ready, stats.leased, stats.totals.sent, stats.totals.acked) == (2, 1, 1, 3, 1)
    assert await orders.purge() == 2
    assert (await orders.stats()).stored == 0


# Topic


async def test_every_subscriber_gets_every_message(mq: Any) -> None:
    """Topic: publish; subscribe(subscriber id): every subscriber gets every message"""
    news = await mq.topic("news")
    assert await news.send("to nobody") > 0
    alice, bob = await news.subscribe("alice"), await news.subscribe("bob")
    await news.send_many(["a", "b"])
    for subscriber in (alice, bob):
        for expected in ("a", "b"):
            delivery = await subscriber.take()
            assert delivery.text() == expected
            await delivery.ack()
    assert (await news.stats()).stored == 0


async def test_unsubscribe_subscriber_count_and_stats(mq: Any) -> None:
    """unsubscribe; subscriber count; stats"""
    news = await mq.topic("news")
    alice = await news.subscribe("alice")
    await news.subscribe("bob")
    await news.send("a")
    assert await news.subscribers() == ["alice", "bob"]
    assert (await news.unsubscribe("bob"), await news.unsubscribe("bob")) == (True, False)
    assert len(await news.subscribers()) == 1
    stats = await news.stats()
    assert (stats.settings.kind, stats.stored, stats.totals.sent) == ("topic", 1, 1)
    await alice.close()
    await news.send("b")
    again = await news.subscribe("alice", prefetch=2)
    assert texts([await again.take(), await again.take()]) == ["a", "b"], "a subscriber outlives its connection"


# Consumer group


async def test_round_robin_over_members_that_have_room(orders: Any) -> None:
    """consumers share the load of a queue; messages are spread round-robin over consumers that have room"""
    members = [await orders.subscribe(f"c{number}", prefetch=2) for number in range(3)]
    await orders.send_many(map(str, range(9)))
    first = [await member.take() for member in members]
    second = [await member.take() for member in members]
    assert (texts(first), texts(second)) == (["0", "1", "2"], ["3", "4", "5"])
    assert [delivery.lease.consumer for delivery in first] == ["c0", "c1", "c2"]
    waits = [await asks(member.take()) for member in members]
    await first[1].ack()
    assert (await waits[1]).text() == "6", "only one of them has room"
    await second[2].ack()
    await first[0].ack()
    assert {(await waits[0]).text(), (await waits[2]).text()} == {"7", "8"}


async def test_members_at_work_at_the_same_time_share_the_load(orders: Any) -> None:
    """consumers share the load of a queue: each message once, and each member its part"""
    shares: dict[int, list[int]] = {number: [] for number in range(4)}
    members = [await orders.subscribe(f"c{number}", prefetch=5) for number in shares]

    async def work(number: int) -> None:
        while (delivery := await members[number].take()) is not None:
            shares[number].append(delivery.id)
            await delivery.ack()

    workers = [asyncio.ensure_future(work(number)) for number in shares]
    sent = [message_id for _ in range(10) for message_id in await orders.send_many(["x"] * 8)]
    while (await orders.stats()).stored:
        await asyncio.sleep(0.001)
    for member in members:
        await member.close()
    await asyncio.gather(*workers)
    assert sorted(message_id for share in shares.values() for message_id in share) == sent
    assert all(shares.values())


async def test_a_member_that_goes_away_returns_its_leases_at_once(orders: Any) -> None:
    """a member that disappears returns its leases at once"""
    leaver, stayer = await orders.subscribe("leaver", prefetch=3), await orders.subscribe("stayer", prefetch=9)
    await orders.send_many(["a", "b", "c", "d"])
    assert texts([await leaver.take(), await stayer.take()]) == ["a", "b"]
    await leaver.close()
    got = [await stayer.take() for _ in range(3)]
    assert sorted((delivery.text(), delivery.attempt) for delivery in got) == [("a", 2), ("c", 2), ("d", 1)]


# Queue options


async def test_max_size_default_ttl_and_dead_letter_queue(mq: Any, clock: VirtualClock) -> None:
    """max size, default TTL, dead-letter queue name"""
    small = await mq.queue("small", max_messages=1, ttl="10s", dead_letter="graveyard", dead_letter_expired=True)
    await small.send("a")
    with pytest.raises(QueueFull, match="queue 'small' is full: its bound is 1 messages"):
        await small.send("b")
    clock.advance(10 * SECOND)
    assert await small.receive() == []
    assert (await one(await mq.queue("graveyard"))).text() == "a"


# Errors


async def test_each_error_is_a_type_of_its_own(api: Flavour, url: str) -> None:
    """queue not found, queue full, queue closed, message expired: each its own type, all under one base"""
    mq = await api.connect(url)
    orders = await mq.queue("orders", max_messages=1)
    await orders.send("a")
    closed = await api.connect("memory://")
    late = await closed.queue("late")
    await closed.close()
    raised = []
    for step in (
        (await mq.queue("missing")).stats(),
        orders.send("b"),
        late.send("c"),
        orders.send("d", ttl="1s", delay="2s"),
    ):
        with pytest.raises(CrossdockError) as caught:
            await step
        raised.append(caught.type)
    assert raised == [QueueNotFound, QueueFull, QueueClosed, MessageExpired]
    await mq.close()


# Semantics


async def test_at_most_once(orders: Any) -> None:
    """at-most-once (no acknowledgement: gone when handed over)"""
    await orders.send_many(["a", "b"])
    assert (await one(orders, mode="at-most-once")).text() == "a"
    assert (await orders.stats()).stored == 1
    consumer = await orders.subscribe(mode="at-most-once")
    assert (await consumer.take()).text() == "b"
    assert (await orders.stats()).stored == 0
    await consumer.close()
    assert await orders.receive() == []


async def test_at_least_once_is_the_default(orders: Any, clock: VirtualClock) -> None:
    """at-least-once (default)"""
    await orders.send("a")
    await one(orders, lease="10s")
    clock.advance(10 * SECOND)
    again = await one(orders)
    assert (again.text(), again.attempt) == ("a", 2)


async def test_exactly_once(orders: Any, clock: VirtualClock) -> None:
    """exactly-once (deduplication id at publish + receipt fencing at ack)"""
    assert await orders.send("pay", dedup_id="order-42") == await orders.send("pay", dedup_id="order-42")
    slow = await one(orders, lease="10s")
    clock.advance(10 * SECOND)
    quick = await one(orders)
    assert quick.fence > slow.fence
    with pytest.raises(LeaseLost):
        await slow.ack()
    await quick.ack()
    with pytest.raises(MessageNotFound):
        await quick.ack()
    await orders.send("pay", dedup_id="order-42")
    assert await orders.receive() == [], "known after the ack as well"


@pytest.mark.parametrize("dead_letter_expired", [False, True])
async def test_expired_messages_are_never_delivered(mq: Any, clock: VirtualClock, dead_letter_expired: bool) -> None:
    """an expired message is never delivered; it is dropped, or dead-lettered where the queue says so"""
    orders = await mq.queue("orders", dead_letter_expired=dead_letter_expired)
    consumer = await orders.subscribe()
    await orders.send("late", ttl="10s", priority=-1, delay="1s")
    await orders.send("in time")
    clock.advance(10 * SECOND)
    assert (await consumer.take()).text() == "in time"
    stats = await orders.stats()
    assert (stats.totals.expired, stats.totals.dead) == ((0, 1) if dead_letter_expired else (1, 0))
    assert texts(await (await mq.queue("orders.dlq")).receive()) == (["late"] if dead_letter_expired else [])


async def test_a_delayed_message_is_not_delivered_before_its_time(orders: Any, clock: VirtualClock) -> None:
    """Delay / scheduled: not delivered before its time"""
    await orders.send("later", delay="10s")
    clock.advance(10 * SECOND - 1)
    assert await orders.receive() == []
    clock.advance(1)
    assert texts(await orders.receive()) == ["later"]


async def test_priority(orders: Any) -> None:
    """Priority: lower number first, FIFO inside a priority"""
    for text, priority in (("c", 5), ("a", -1), ("d", 5), ("b", 0)):
        await orders.send(text, priority=priority)
    assert texts(await orders.receive(10)) == ["a", "b", "c", "d"]


async def test_fifo_and_one_in_flight_of_an_ordering_key(orders: Any, clock: VirtualClock) -> None:
    """FIFO per queue; per ordering key one in flight at a time"""
    await orders.send_many([Message(text, ordering_key=text[0]) for text in ("x1", "x2", "y1", "x3")])
    x1, y1 = await orders.receive(10)
    assert texts([x1, y1]) == ["x1", "y1"]
    await x1.nack()
    assert await orders.receive(10) == [], "a retry holds its key"
    await y1.ack()
    clock.advance(11 * SECOND)
    await (await one(orders)).ack()
    for expected in ("x2", "x3"):
        delivery = await one(orders, max_messages=10)
        assert delivery.text() == expected
        await delivery.ack()


async def test_retries_back_off_exponentially_and_end_in_the_dlq(mq: Any, orders: Any, clock: VirtualClock) -> None:
    """Retry with exponential backoff; after the maximum, the DLQ, with the last error in x-error and the id kept"""
    message_id = await orders.send("poison")
    for attempt, wait in ((1, 10), (2, 20)):
        delivery = await one(orders)
        assert delivery.attempt == attempt
        await delivery.nack(error=f"error {attempt}")
        clock.advance(wait * SECOND - 1)
        assert await orders.receive() == []
        clock.advance(wait * SECOND // 10 + 1)
    await (await one(orders)).nack(error="the last one")
    letter = await one(await mq.queue("orders.dlq"))
    assert (letter.id, letter.headers["x-error"], letter.headers["x-attempts"]) == (message_id, "the last one", "3")


@pytest.mark.parametrize("kind", ["sqlite", "log"])
async def test_what_is_on_disk_outlives_the_process(api: Flavour, tmp_path: Path, kind: str) -> None:
    """Storage: memory, disk (SQLite), and hybrid"""
    for expected in ([], ["a"]):
        mq = await api.connect(STORES[kind].format(tmp_path))
        orders = await mq.queue("orders")
        assert texts(await orders.receive()) == expected
        await orders.send("a")
        await mq.close()


# Server


async def test_the_sdk_connects_by_url(api: Flavour) -> None:
    """The client SDK connects by URL and has publish, subscribe, ack, close"""
    with ServerThread("memory://") as server:
        mq = await api.connect(server.url)
        orders = await mq.queue("orders")
        consumer = await orders.subscribe("me", prefetch=2)
        waits = await asks(consumer.take())
        await orders.send("a")
        await (await waits).ack()
        await orders.send("b")
        assert (await consumer.take()).text() == "b"
        await consumer.close()
        stats = await orders.stats()
        assert (stats.ready, stats.leased) == (1, 0)
        await mq.close()
        with pytest.raises(QueueClosed):
            await orders.send("c")


# Environment: see tests/config/test_gomq.py for each variable

TABLE = {
    "GOMQ_STORAGE": "memory",
    "GOMQ_DATA_DIR": "./data",
    "GOMQ_DEFAULT_TTL": "24h",
    "GOMQ_MAX_MESSAGE_SIZE": "1MB",
    "GOMQ_MAX_QUEUE_DEPTH": "100000",
    "GOMQ_MAX_RETRIES": "3",
    "GOMQ_LISTEN_ADDR": ":5672",
}


@pytest.mark.parametrize("variable", TABLE)
def test_the_defaults_of_the_table_hold_when_one_variable_is_set(tmp_path: Path, variable: str) -> None:
    """GOMQ_... | default"""
    config = load({variable: TABLE[variable]}, folder=tmp_path)
    assert (config.store, config.ttl, config.max_messages) == ("memory://", 24 * HOUR, 100_000)
    assert (config.max_body_bytes, config.max_attempts) == (1_000_000, 3)


@pytest.mark.parametrize(("storage", "there"), [("disk", "gomq.db"), ("hybrid", "log")])
@pytest.mark.parametrize("connect", ["blocking", "asyncio"])
async def test_a_program_may_leave_the_store_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str, there: str, connect: str
) -> None:
    """GOMQ_STORAGE, GOMQ_DATA_DIR, GOMQ_MAX_QUEUE_DEPTH (publishing beyond it raises queue full)"""
    for name, value in {"STORAGE": storage, "DATA_DIR": str(tmp_path), "MAX_QUEUE_DEPTH": "1"}.items():
        monkeypatch.setenv(f"GOMQ_{name}", value)
    if connect == "blocking":
        with crossdock.connect() as mq:
            mq.queue("orders").send("a")
            with pytest.raises(QueueFull):
                mq.queue("orders").send("b")
    else:
        async with aio.connect() as mq:
            await mq.queue("orders").send("a")
            with pytest.raises(QueueFull):
                await mq.queue("orders").send("b")
    assert (tmp_path / there).exists()


def test_every_example_is_run_by_a_test() -> None:
    """Examples to ship and to run in the tests: basic, pub/sub, persistent, consumer groups, delayed, priority"""
    root = Path(__file__).parent.parent.parent
    for name in ("basic", "pub_sub", "persistent", "consumer_groups", "delayed_messages", "priority_queue"):
        assert (root / "examples" / f"{name}.py").is_file()
        assert f'"{name}"' in (root / "tests" / "examples" / "test_examples.py").read_text()

"""Subscriptions, as a program holds them: whatever ends one gives back at once what was not answered."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import crossdock
from crossdock import InvalidArgument, Queue, QueueClosed, QueueNotFound, StoreUnavailable, aio
from crossdock.broker.runtime import ThreadWaiter
from crossdock.client.http import HttpTransport
from crossdock.client.http_member import HttpMember
from crossdock.config import Grpc, Ws
from crossdock.core import model
from desk import turns, waiting
from served import ServerThread

PATIENCE = 30.0


@pytest.fixture(params=["memory", "sqlite", "http", "ws", "grpc"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A URL for each transport that there is."""
    if request.param in ("http", "ws", "grpc"):
        ws, grpc = Ws(enabled=request.param == "ws", port=0), Grpc(enabled=request.param == "grpc", port=0)
        with ServerThread("memory://", ws=ws, grpc=grpc) as server:
            yield server.ws_url or server.grpc_url or server.url
    else:
        yield "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/queues.db"


@pytest.fixture
def orders(place: str) -> Iterator[Queue]:
    with crossdock.connect(place) as mq:
        yield mq.queue("orders", backoff=0)


@pytest.fixture
async def mq(place: str) -> AsyncIterator[aio.Connection]:
    async with aio.connect(place) as connection:
        yield connection


def counts(queue: Queue) -> tuple[int, int]:
    stats = queue.stats()
    return stats.ready, stats.leased


# Blocking


def test_deliveries_come_one_by_one(orders: Queue) -> None:
    orders.send_many("abc")
    got = []
    for delivery in orders.subscribe("me", prefetch=2):
        got.append(delivery.text())
        delivery.ack()
        if len(got) == 3:
            break
    assert got == ["a", "b", "c"]
    assert orders.stats().stored == 0


def test_leaving_the_loop_gives_everything_back(orders: Queue) -> None:
    orders.send_many("abcde")
    subscription = orders.subscribe(prefetch=4)
    for delivery in subscription:
        delivery.ack()
        next(subscription)
        break
    assert counts(orders) == (4, 0)
    assert next(subscription, None) is None


def test_an_error_in_the_loop_gives_everything_back(orders: Queue) -> None:
    orders.send_many("abc")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the loop is what is tested
        for delivery in orders.subscribe(prefetch=3):
            raise ZeroDivisionError(delivery)
    assert counts(orders) == (3, 0)


def test_dropping_the_iterator_gives_everything_back(orders: Queue) -> None:
    orders.send_many("abc")
    deliveries = iter(orders.subscribe(prefetch=3))
    assert next(deliveries).text() == "a"
    del deliveries
    assert counts(orders) == (3, 0)


def test_leaving_the_with_gives_everything_back(orders: Queue) -> None:
    orders.send_many("abc")
    with orders.subscribe(prefetch=2) as subscription:
        assert [next(subscription).text() for _ in range(2)] == ["a", "b"]
    subscription.close()
    assert counts(orders) == (3, 0)


def test_another_thread_may_close_it(orders: Queue) -> None:
    subscription = orders.subscribe()
    ended = threading.Event()

    def consume() -> None:
        for delivery in subscription:
            delivery.ack()
        ended.set()

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    orders.send("a")
    while orders.stats().stored:
        ended.wait(0.001)
    subscription.close()
    assert ended.wait(PATIENCE)


def test_the_close_of_the_connection_ends_it(place: str) -> None:
    mq = crossdock.connect(place)
    orders = mq.queue("orders")
    orders.send_many("abc")
    got = []
    subscription = orders.subscribe(prefetch=3)
    for delivery in subscription:
        got.append(delivery.text())
        mq.close()
    assert got == ["a"], "what waits is given back, not handed out"
    subscription.close()
    assert next(subscription, None) is None
    with pytest.raises(QueueClosed):
        orders.subscribe()


def test_what_was_given_back_is_there_for_others(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queues.db"
    with crossdock.connect(url) as mq:
        mq.queue("orders").send_many("ab")
        subscription = mq.queue("orders").subscribe(prefetch=2)
        next(subscription)
    with crossdock.connect(url) as mq:
        assert [delivery.text() for delivery in mq.queue("orders").receive(2)] == ["a", "b"]


def test_the_close_waits_for_answers(place: str) -> None:
    mq = crossdock.connect(place)
    orders = mq.queue("orders")
    orders.send("a")
    held = next(orders.subscribe())
    closing = threading.Thread(target=mq.close, args=(PATIENCE,), daemon=True)
    closing.start()
    held.ack()
    closing.join(PATIENCE / 2)
    assert not closing.is_alive()
    assert mq.closed


def test_the_close_waits_no_longer_for_who_leaves(place: str) -> None:
    mq = crossdock.connect(place)
    orders = mq.queue("orders")
    orders.send("a")
    subscription = orders.subscribe()
    next(subscription)
    closing = threading.Thread(target=mq.close, args=(PATIENCE,), daemon=True)
    closing.start()
    while next(subscription, None) is not None:  # until the close has begun
        pass
    subscription.close()
    closing.join(PATIENCE / 2)
    assert not closing.is_alive()


async def test_while_it_closes_nothing_new_is_taken_and_waits_end(mq: aio.Connection) -> None:
    orders = mq.queue("orders")
    await orders.send("a")
    held = await anext(orders.subscribe())
    waits = await waiting(orders.receive(wait=PATIENCE))
    closing = await waiting(mq.close(timeout=PATIENCE))
    assert await waits == []
    for new in (orders.send("b"), orders.receive(), orders.subscribe()):
        with pytest.raises(QueueClosed):
            await new
    assert not closing.done()
    await held.ack()
    await closing


def test_the_close_gives_up_waiting(place: str) -> None:
    mq = crossdock.connect(place)
    orders = mq.queue("orders")
    orders.send("a")
    held = next(orders.subscribe())
    mq.close(timeout="10ms")
    with pytest.raises(QueueClosed):
        held.ack()


def test_ctrl_c_ends_the_waiting_of_a_close(monkeypatch: pytest.MonkeyPatch) -> None:
    mq = crossdock.connect("memory://")
    orders = mq.queue("orders")
    orders.send("a")
    next(orders.subscribe())

    def interrupted(waiter: ThreadWaiter) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadWaiter, "block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mq.close(timeout="1h")
    assert mq.closed
    assert mq.transport.store._engine.stats(orders.address, 0).leased == 0  # type: ignore[attr-defined]


def test_a_subscription_of_a_queue_that_is_deleted_says_so(orders: Queue) -> None:
    subscription = orders.subscribe()
    orders.delete()
    with pytest.raises(QueueNotFound):
        next(subscription)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prefetch": 0}, "prefetch must be a whole number from 1 to 1000000"),
        ({"prefetch": 1_000_001}, "prefetch must be a whole number from 1 to 1000000"),
        ({"prefetch": "x"}, "prefetch must be a whole number from 1 to 1000000"),
        ({"lease": 0}, "lease must be longer than 0"),
        ({"mode": "exactly-once"}, "mode must be one of at-most-once, at-least-once, got 'exactly-once'"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(orders: Queue, options: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        orders.subscribe(**options)


def test_at_most_once_needs_no_answer(orders: Queue) -> None:
    orders.send_many("abc")
    with orders.subscribe(mode="at-most-once") as subscription:
        assert [next(subscription).text() for _ in range(2)] == ["a", "b"]
    assert counts(orders) == (1, 0)


# asyncio


async def test_the_loop_waits_and_ends_with_the_connection(mq: aio.Connection) -> None:
    orders = mq.queue("orders")
    await orders.create()
    got: list[str] = []

    async def consume() -> None:
        async for delivery in orders.subscribe(prefetch=10):
            got.append(delivery.text())
            await delivery.ack()

    consumer = await waiting(consume())
    await orders.send_many("ab")
    while len(got) < 2 or (await orders.stats()).stored:
        await turns()
    await mq.close()
    await consumer
    assert got == ["a", "b"]


async def test_leaving_an_async_with_gives_everything_back(mq: aio.Connection) -> None:
    orders = mq.queue("orders")
    await orders.send_many("abcde")
    async with orders.subscribe(prefetch=4) as deliveries:
        async for delivery in deliveries:
            await delivery.ack()
            break
    stats = await orders.stats()
    assert (stats.leased, stats.ready) == (0, 4)


async def test_leaving_an_async_loop_gives_everything_back_soon(mq: aio.Connection) -> None:
    orders = mq.queue("orders")
    await orders.send_many("abcde")
    async for delivery in orders.subscribe(prefetch=4):
        await delivery.ack()
        break
    gc.collect()
    while (await orders.stats()).leased:
        await turns()
    assert (await orders.stats()).ready == 4


async def test_a_cancelled_wait_keeps_the_subscription(mq: aio.Connection) -> None:
    orders = mq.queue("orders")
    subscription = await orders.subscribe()
    for _ in range(3):
        step = await waiting(anext(subscription))
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
    await orders.send("a")
    assert (await anext(subscription)).text() == "a"
    await subscription.close()
    with pytest.raises(StopAsyncIteration):
        await anext(subscription)


async def test_closing_one_that_never_began_does_nothing(mq: aio.Connection) -> None:
    subscription = mq.queue("orders").subscribe()
    await subscription.close()
    async with subscription:
        assert await anext(subscription, None) is None
    assert [delivery async for delivery in subscription] == []
    assert "orders" not in await mq.queues()


async def test_one_that_is_closed_while_it_begins_never_begins(mq: aio.Connection) -> None:
    orders = mq.queue("orders")
    await orders.send("a")
    subscription = orders.subscribe()
    first = asyncio.ensure_future(anext(subscription, None))
    await asyncio.sleep(0)
    await subscription.close()
    await first  # It may have got the message before it was closed.
    assert await anext(subscription, None) is None
    stats = await orders.stats()
    assert (stats.ready, stats.leased) == (1, 0)


# Over HTTP alone


async def test_answers_make_room(mq: aio.Connection, place: str) -> None:
    orders = mq.queue("orders")
    await orders.send_many("abc")
    subscription = await orders.subscribe(prefetch=2)
    first, second = await anext(subscription), await anext(subscription)
    waits = await waiting(anext(subscription))
    assert (await orders.stats()).leased == 2
    await first.nack(delay=60)
    third = await waits
    await second.reject()
    await orders.ack([third])
    assert (await orders.stats()).leased == 0


async def test_a_member_that_is_closed_while_it_waits_for_the_server() -> None:
    with ServerThread("memory://") as server:
        transport = await HttpTransport(server.url).open()
        await transport.create_queue(("default", "q"))
        members = [transport.join(("default", "q"), "default", 1) for _ in range(2)]
        waits = [await waiting(member.next()) for member in members]
        await members[0].close()
        assert await waits[0] is None
        await transport.close(1_000)
        assert await waits[1] is None
        assert transport._members._members == set()


@pytest.mark.parametrize("leaves", ["cancelled", "closed"])
async def test_what_comes_while_its_consumer_leaves_is_not_lost(leaves: str) -> None:
    """F10: the answer of the server and the end of the wait in one turn of the loop."""
    arrives = asyncio.get_running_loop().create_future()
    returned: list[model.Delivery] = []

    async def receive(limit: int) -> list[model.Delivery]:
        await arrives
        return [model.Delivery(1, 1, 1, model.Message(b"a"), 1, 1_000)]

    async def give_back(deliveries: Sequence[model.Delivery]) -> None:
        returned.extend(deliveries)

    member = HttpMember(1, False, receive, give_back, lambda member: None)
    asks = await waiting(member.next())
    arrives.set_result(None)
    await asyncio.sleep(0)
    if leaves == "closed":
        await member.close()
        assert await asks is None
        assert [delivery.id for delivery in returned] == [1]
    else:
        asks.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asks
        delivery = await member.next()
        assert delivery is not None
        assert delivery.id == 1


async def test_leases_that_cannot_be_given_back_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def receive(limit: int) -> list[model.Delivery]:
        return [model.Delivery(number, 1, 1, model.Message(b"a"), 1, 1_000) for number in range(limit)]

    async def unreachable(deliveries: Sequence[model.Delivery]) -> None:
        raise StoreUnavailable("cannot reach the server")

    closed: list[HttpMember] = []
    member = HttpMember(2, False, receive, unreachable, closed.append)
    assert await member.next() is not None
    await member.close()
    assert closed == [member]
    assert "leases could not be given back, they end by themselves: cannot reach the server" in caplog.text

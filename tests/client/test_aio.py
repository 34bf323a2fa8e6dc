"""The asyncio flavour, over the stores that live in this process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from crossdock import (
    DedupConflict,
    InvalidArgument,
    LeaseLost,
    Message,
    MessageNotFound,
    QueueClosed,
    QueueNotFound,
    aio,
)
from desk import waiting


@pytest.fixture
async def mq(url: str) -> AsyncIterator[aio.Connection]:
    async with aio.connect(url) as connection:
        yield connection


@pytest.fixture
def orders(mq: aio.Connection) -> aio.Queue:
    return mq.queue("orders", backoff=0)


def texts(deliveries: list[aio.Delivery]) -> list[str]:
    return [delivery.text() for delivery in deliveries]


async def one(queue: aio.Queue, **options: Any) -> aio.Delivery:
    (delivery,) = await queue.receive(**options)
    return delivery


async def test_a_message_there_and_back(orders: aio.Queue) -> None:
    sent = await orders.send({"order": 42}, headers={"trace": "1"})
    delivery = await one(orders, lease="10s", consumer="me")
    assert (delivery.id, delivery.json(), delivery.headers) == (sent, {"order": 42}, {"trace": "1"})
    await delivery.ack()
    assert await orders.receive() == []


async def test_many_duplicates_and_conflicts(orders: aio.Queue) -> None:
    first, second = await orders.send_many(["a", Message("b", dedup_id="d", priority=-1)])
    assert await orders.send("b", dedup_id="d") == second > first
    with pytest.raises(DedupConflict):
        await orders.send("c", dedup_id="d")
    assert texts(await orders.receive(10)) == ["b", "a"]


async def test_every_answer(mq: aio.Connection, orders: aio.Queue) -> None:
    await orders.send_many("abc")
    stale, other, third = await orders.receive(3)
    await stale.extend("1m")
    await stale.nack(delay=0)
    current = await one(orders)
    for answer in (stale.ack(), stale.nack(), stale.reject(), stale.extend(1)):
        with pytest.raises(LeaseLost):
            await answer
    await current.reject("no")
    assert await orders.extend([other, third], 60) == {}
    assert await orders.nack([other], delay="1h") == {}
    assert await orders.reject([third], "bad") == {}
    failures = await orders.ack([current])
    assert {index: type(error) for index, error in failures.items()} == {0: MessageNotFound}
    dlq = mq.queue("orders.dlq")
    assert [look.message.body for look in await dlq.peek(10)] == [b"a", b"c"]
    assert await dlq.redrive() == 2
    stats = await orders.stats()
    assert (stats.ready, stats.delayed) == (2, 1)


async def test_managing(mq: aio.Connection, orders: aio.Queue) -> None:
    assert await orders.create() is True
    assert await mq.queues() == ["orders"]
    await orders.edit(lease="2m")
    await orders.pause()
    await orders.send("x")
    assert await orders.receive() == []
    await orders.resume()
    assert len(await orders.group("g").receive()) == 1
    assert await orders.group("g").delete_group() is True
    assert (await orders.stats()).settings.lease == 120_000
    assert await orders.purge() == 1
    await orders.delete()
    with pytest.raises(QueueNotFound):
        await orders.stats()


async def test_a_topic_keeps_nothing_for_later_groups(mq: aio.Connection) -> None:
    news = mq.topic("news")
    early = news.group("early")
    assert await early.receive() == []
    await news.send("hello")
    assert texts(await early.receive()) == ["hello"]
    assert await news.group("late").receive() == []


async def test_a_send_ends_the_wait(orders: aio.Queue) -> None:
    await orders.create()
    receive = await waiting(orders.receive(wait=30))
    await orders.send("x")
    assert texts(await receive) == ["x"]


async def test_a_cancelled_receive_takes_nothing_along(orders: aio.Queue) -> None:
    await orders.create()
    receive = await waiting(orders.receive(wait=30))
    receive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receive
    await orders.send("x")
    assert texts(await orders.receive(wait=30)) == ["x"]


async def test_before_the_opening_and_after_the_close(url: str) -> None:
    mq = aio.connect(url)
    with pytest.raises(QueueClosed, match="the connection is not open"):
        await mq.queues()
    assert await mq is mq
    orders = mq.queue("orders")
    await orders.send("x")
    held = await one(orders)
    await mq.close()
    await mq.close()
    verbs: list[Callable[[], Awaitable[object]]] = [
        lambda: orders.send("x"),
        lambda: orders.receive(),
        held.ack,
        orders.stats,
        orders.peek,
        orders.purge,
        mq.queues,
        mq.topics,
        lambda: anext(orders.subscribe()),
    ]
    for verb in verbs:
        with pytest.raises(QueueClosed):
            await verb()


async def test_close_ends_waiting_receives(mq: aio.Connection, orders: aio.Queue) -> None:
    await orders.create()
    line = [await waiting(orders.receive(wait=30)) for _ in range(3)]
    await mq.close()
    assert await asyncio.gather(*line) == [[], [], []]


async def test_the_memory_store_runs_on_the_loop_alone() -> None:
    before = set(threading.enumerate())
    async with aio.connect("memory://") as mq:
        orders = mq.queue("orders")
        receive = await waiting(orders.receive(wait=30))
        await orders.send("x")
        await (await receive)[0].ack()
        assert set(threading.enumerate()) == before


async def test_bad_values_are_refused_by_name(mq: aio.Connection, orders: aio.Queue) -> None:
    with pytest.raises(InvalidArgument, match="lease must be longer than 0, got 0"):
        await orders.receive(lease=0)
    with pytest.raises(InvalidArgument, match="body must be bytes, text or JSON"):
        await orders.send(object())
    with pytest.raises(InvalidArgument, match="queue must be 1 to 200 letters"):
        await mq.queue("a b").send("x")
    with pytest.raises(InvalidArgument, match="settings must be among"):
        await orders.edit(color="red")  # type: ignore[call-arg]

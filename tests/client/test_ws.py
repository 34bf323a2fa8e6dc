"""A connection by WebSocket that is lost: calls say so and the next one goes on, subscriptions go on by themselves."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import crossdock
from crossdock import (
    AccessDenied,
    CrossdockError,
    InvalidArgument,
    LeaseLost,
    QueueClosed,
    QueueNotFound,
    StoreUnavailable,
    aio,
)
from crossdock.client import feed, ws_feed
from crossdock.client.ws_connection import WsConnection
from crossdock.config import Secret, Ws
from crossdock.core.model import Settings
from crossdock.storage.memory import MemoryStore
from desk import Q, waiting
from served import ServerThread
from ws_door import DoorInTest


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "PAUSE_SECONDS_MIN", 0.001)


@pytest.fixture
async def door() -> AsyncIterator[DoorInTest]:
    async with DoorInTest(MemoryStore()) as door:
        yield door


@pytest.fixture
async def mq(door: DoorInTest) -> AsyncIterator[aio.Connection]:
    async with aio.connect(door.listener.url) as mq:
        yield mq


def cut(door: DoorInTest, path: str) -> None:
    """Break the connections of a path, as a network does."""
    for connection in door.connections:
        if connection.counters.path == path:
            connection.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


# Calls


async def test_a_call_that_loses_the_connection_says_so_and_the_next_goes_on(
    door: DoorInTest, mq: aio.Connection
) -> None:
    q = await mq.get_queue("q")
    wait = await waiting(q.receive(wait="1m"))
    await until(lambda: bool(door.broker.room.members))
    cut(door, "/ws/api")
    with pytest.raises(StoreUnavailable, match="did not answer, the outcome is unknown: the connection was lost"):
        await wait
    await q.send("a")
    assert (await q.receive())[0].text() == "a"


async def test_many_calls_share_a_connection(door: DoorInTest, mq: aio.Connection) -> None:
    q = await mq.get_queue("q")
    await asyncio.gather(*(q.send(str(number)) for number in range(200)))
    assert door.door.counters["/ws/api"].opened == 1
    assert (await q.stats()).stored == 200


async def test_a_receive_that_is_cancelled_takes_nothing(door: DoorInTest, mq: aio.Connection) -> None:
    """F10"""
    q = await mq.get_queue("q")
    wait = await waiting(q.receive(wait="1m"))
    await until(lambda: bool(door.broker.room.members))
    wait.cancel()
    await until(lambda: not door.broker.room.members)
    await q.send("a")
    assert (await q.stats()).ready == 1


async def test_a_server_that_is_away_and_back(door: DoorInTest, mq: aio.Connection) -> None:
    q = await mq.get_queue("q")
    url = door.listener.url
    await door.shut()
    with pytest.raises(StoreUnavailable, match=f"cannot reach {url}"):
        await q.send("a")
    await door.open_again()
    await q.send("a")


# Subscriptions


async def take(subscription: aio.Subscription) -> aio.Delivery:
    async with asyncio.timeout(20):
        return await anext(subscription)


async def test_a_subscription_outlives_its_connection(
    door: DoorInTest, mq: aio.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    q = mq.queue("q")
    subscription = q.subscribe(prefetch=2, lease="1h")
    await door.send("a", "b")
    first = await take(subscription)
    cut(door, "/ws/subscribe")
    await until(lambda: door.door.counters["/ws/subscribe"].opened == 2)
    again = await take(subscription)
    assert (again.text(), again.attempt, first.text()) == ("a", 2, "a")
    with pytest.raises(LeaseLost):
        await first.ack()
    await again.ack()
    last = await take(subscription)
    await last.ack()
    assert last.text() == "b"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "subscription lost, will connect again: the connection was lost" in caplog.text
    await subscription.close()
    assert ((await q.stats()).stored, door.broker.members.rotations) == (0, {})


async def test_a_subscription_waits_for_a_server_to_come_back(
    door: DoorInTest, mq: aio.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    subscription = await mq.queue("q").subscribe()
    wait = await waiting(anext(subscription))
    await until(lambda: door.door.counters["/ws/subscribe"].open_now == 1)
    await door.shut()
    await until(lambda: "cannot reach" in caplog.text)
    assert not wait.done()
    await door.send("a")
    await door.open_again()
    async with asyncio.timeout(20):
        delivery = await wait
    await delivery.ack()
    assert delivery.text() == "a"


async def test_none_is_lost_and_none_comes_twice_to_who_answers(door: DoorInTest, mq: aio.Connection) -> None:
    """Connections break all the time; every message is answered exactly once."""
    await door.broker.update_queue(Q, Settings(backoff=0, max_attempts=0))
    await door.send(*(str(number) for number in range(300)))
    done: list[str] = []

    async def consume() -> None:
        async for delivery in mq.queue("q").subscribe(prefetch=10, lease="1h"):
            try:
                await delivery.ack()
            except LeaseLost:
                continue
            done.append(delivery.text())
            if len(done) == 300:
                return

    async def disturb() -> None:
        while True:
            await asyncio.sleep(0.01)
            cut(door, "/ws/subscribe")

    disturbing = asyncio.ensure_future(disturb())
    async with asyncio.timeout(40):
        await consume()
    disturbing.cancel()
    assert sorted(done, key=int) == [str(number) for number in range(300)]
    assert door.door.counters["/ws/subscribe"].opened > 2


async def test_what_ends_a_subscription_for_good_is_raised(door: DoorInTest, mq: aio.Connection) -> None:
    q = mq.queue("q")
    subscription = await q.subscribe()
    wait = await waiting(anext(subscription))
    await until(lambda: bool(door.broker.room.members))
    await q.delete()
    with pytest.raises(QueueNotFound, match="queue 'q' does not exist"):
        await wait
    await subscription.close()


async def test_at_most_once_settles_before_the_hand_out_and_loses_nothing_that_waits(
    door: DoorInTest, mq: aio.Connection
) -> None:
    await door.send("a", "b", "c")
    q = mq.queue("q")
    subscription = await q.subscribe(prefetch=3, mode="at-most-once")
    got = await take(subscription)
    stats = await q.stats()
    assert (got.text(), stats.totals.acked, stats.stored) == ("a", 1, 2)
    await subscription.close()
    assert ((await q.stats()).ready, (await q.stats()).leased) == (2, 0)


async def test_a_message_that_may_be_settled_is_not_handed_over(door: DoorInTest, mq: aio.Connection) -> None:
    await door.send("a", "b")
    q = mq.queue("q")
    subscription = await q.subscribe(prefetch=2, mode="at-most-once")
    member: Any = subscription._member
    acked: list[int] = []
    settle = member._ack

    async def unreachable(deliveries: list[Any]) -> Any:
        acked.append(len(deliveries))
        if len(acked) == 1:
            raise StoreUnavailable("cannot reach the server")
        return await settle(deliveries)

    member._ack = unreachable
    assert (await take(subscription)).text() == "b"
    await subscription.close()


async def test_the_close_asks_for_no_more_and_waits_for_answers(door: DoorInTest) -> None:
    await door.broker.update_queue(Q, Settings(backoff=0))
    await door.send(*"abcd")
    mq = await aio.connect(door.listener.url)
    q = mq.queue("q")
    subscription = await q.subscribe(prefetch=2, lease="1h")
    held = await take(subscription)
    closing = asyncio.ensure_future(mq.close("20s"))
    await until(lambda: next(iter(door.broker.members.rotations.values())).members()[0].prefetch == 0)
    assert not closing.done()
    await held.ack()
    await closing
    stats = await door.stats()
    assert (stats.totals.acked, stats.ready, stats.leased) == (1, 3, 0)
    assert stats.totals.delivered == 2, "what an answer made room for was not asked for"


# Servers that are not ours, and others


@pytest.mark.parametrize("url", ["ws://user@host:1", "ws://:8081", "wss://u:p@host"])
def test_a_url_that_makes_no_sense(url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"url must be ws://HOST:PORT without a user or password"):
        crossdock.connect(url)


async def test_the_key_is_asked_for() -> None:
    with ServerThread("memory://", ws=Ws(enabled=True, port=0, api_key=Secret("hunter2"))) as server:
        for key in (None, "hunter3"):
            async with aio.connect(server.ws_url, api_key=key) as mq:
                with pytest.raises(AccessDenied) as refused:
                    await mq.queues()
                assert "hunter" not in str(refused.value)
        async with aio.connect(server.ws_url, api_key="hunter2") as mq:
            assert await mq.queues() == ["default"]


async def foreign(answer: Callable[[ServerConnection], Awaitable[None]]) -> tuple[Any, str]:
    server = await serve(answer, "127.0.0.1", 0)
    return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("text", ["hello", "error: no", "{}", '{"id":"x"}'])
async def test_a_server_that_speaks_something_else(text: str) -> None:
    async def answer(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send(text)

    server, url = await foreign(answer)
    async with aio.connect(url) as mq:
        with pytest.raises(StoreUnavailable, match="the server does not answer as crossdock does"):
            await mq.queues()
    server.close()
    await server.wait_closed()


async def test_a_subscription_to_a_server_that_speaks_something_else() -> None:
    async def answer(connection: ServerConnection) -> None:
        await connection.send('{"message":7}')
        await connection.wait_closed()

    server, url = await foreign(answer)
    connection = WsConnection(url, None)
    connection.open()
    lost: list[int] = []
    feed = ws_feed.WsFeed(connection, {"queue": "q"}, lambda: 0.5, lambda deliveries: None, lambda: lost.append(1))
    feed.run()
    await until(lambda: bool(lost))
    await asyncio.sleep(0)
    with pytest.raises(CrossdockError, match="the server does not answer as crossdock does"):
        feed.run()
    await feed.close()
    await connection.close()
    server.close()
    await server.wait_closed()


async def test_a_door_without_websocket_is_told() -> None:
    with ServerThread("memory://") as server:
        async with aio.connect(server.url.replace("http", "ws")) as mq:
            with pytest.raises(CrossdockError, match="refuses the connection with HTTP status 404"):
                await mq.queues()


async def test_nothing_is_opened_after_the_close(door: DoorInTest) -> None:
    mq = await aio.connect(door.listener.url)
    q = await mq.get_queue("q")
    await mq.close()
    with pytest.raises(QueueClosed):
        await q.send("a")
    await door.until_left()


def test_a_blocking_consumer_beside_a_sender_by_http() -> None:
    with (
        ServerThread("memory://", ws=Ws(enabled=True, port=0)) as server,
        crossdock.connect(server.ws_url) as mq,
        crossdock.connect(server.url) as other,
    ):
        orders = mq.queue("orders")
        subscription = orders.subscribe(prefetch=4)
        other.queue("orders").send_many([str(number) for number in range(50)])
        got = []
        for delivery in subscription:
            got.append(delivery.text())
            delivery.ack()
            if len(got) == 50:
                break
        assert got == [str(number) for number in range(50)]
        assert other.queue("orders").stats().stored == 0

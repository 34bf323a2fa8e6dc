"""`grpc://` beyond the verbs: lost connections, answers over the stream, what cannot be connected to."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

import crossdock
from crossdock import AccessDenied, CrossdockError, InvalidArgument, QueueClosed, QueueNotFound, StoreUnavailable, aio
from crossdock.client import feed
from crossdock.client.grpc_connection import GrpcConnection
from crossdock.doors.grpc import GrpcListener
from crossdock.storage.memory import MemoryStore
from desk import waiting
from grpc_door import BROKER, GrpcDoor

Q = ("default", "q")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "PAUSE_SECONDS_MIN", 0.001)
    monkeypatch.setattr(feed, "PAUSE_SECONDS_MAX", 0.01)


@pytest.fixture
async def door() -> AsyncIterator[GrpcDoor]:
    async with GrpcDoor(MemoryStore()) as opened:
        await opened.create()
        yield opened


@pytest.fixture
async def mq(door: GrpcDoor) -> AsyncIterator[aio.Connection]:
    async with aio.connect(door.listener.url) as connection:
        yield connection


async def shut(door: GrpcDoor) -> int:
    """Shut the door; returns its port."""
    port = door.listener.port
    await door.listener.stop(0)
    return port


async def reopen(door: GrpcDoor, port: int) -> None:
    """Open the door again on its port, over the same broker."""
    door.listener = GrpcListener(door.broker, "127.0.0.1", port)
    await door.listener.start()


def calls(door: GrpcDoor, method: str) -> int:
    """How many calls of a method have ended."""
    return sum(door.listener._counters[f"/{BROKER}/{method}"].calls.values())


async def until(door: GrpcDoor, name: str, count: int) -> None:
    """Let the loop turn until a count of the queue is this."""
    while getattr(await door.broker.stats(Q), name) != count:
        await asyncio.sleep(0)


def lost(caplog: pytest.LogCaptureFixture) -> int:
    """How often a lost subscription was told of."""
    told = [each for each in caplog.records if each.levelno == logging.WARNING]
    return sum(each.getMessage().startswith("subscription lost, will connect again") for each in told)


# Calls


async def test_server_that_is_away_and_back(door: GrpcDoor, mq: aio.Connection) -> None:
    q = mq.queue("q")
    await q.send("a")
    port = await shut(door)
    with pytest.raises(StoreUnavailable, match="did not answer, the outcome is unknown"):
        await q.send("b")
    await reopen(door, port)
    while True:
        try:
            await q.send("c")
        except StoreUnavailable:
            await asyncio.sleep(0.01)
        else:
            break
    assert [message.text() for message in await q.receive(max_messages=9)] == ["a", "c"]


async def test_receive_that_is_cancelled_takes_nothing(door: GrpcDoor, mq: aio.Connection) -> None:
    """F10"""
    receiving = asyncio.ensure_future(mq.queue("q").receive(wait="1h"))
    await door.until_waiting()
    receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receiving
    while door.broker.room.members:
        await asyncio.sleep(0)
    await door.send(b"a")
    (message,) = await mq.queue("q").receive()
    assert message.attempt == 1


async def test_close_ends_a_long_poll_and_refuses_what_comes_later(door: GrpcDoor) -> None:
    mq = await aio.connect(door.listener.url)
    receiving = await waiting(mq.queue("q").receive(wait="1h"))
    await door.until_waiting()
    await mq.close()
    await mq.close()
    assert await receiving == []
    for late in (mq.queue("q").send("a"), mq.queue("q").stats()):
        with pytest.raises(QueueClosed):
            await late


async def test_fault_of_the_server_has_the_id_in_its_log(
    door: GrpcDoor, mq: aio.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(door.broker.store, "stats", broken)
    with pytest.raises(CrossdockError, match=r"internal error \(request (.+)\)") as failed:
        await mq.queue("q").stats()
    assert str(failed.value).partition("(request ")[2][:-1] in caplog.text


# Subscriptions


async def test_answers_go_over_the_stream(door: GrpcDoor, mq: aio.Connection) -> None:
    q = mq.queue("q", backoff=0)
    await q.send_many("abcd")
    async with q.subscribe(prefetch=4) as subscription:
        a, b, c, d = [await anext(subscription) for _ in range(4)]
        await asyncio.gather(a.ack(), b.nack(delay="1h"), c.reject("never"), d.extend("1h"))
        with pytest.raises(crossdock.LeaseLost):
            await a.ack()
        stats = await q.stats()
        assert (stats.leased, stats.delayed, stats.dead, stats.stored) == (1, 1, 1, 2)
    assert calls(door, "Settle") == 0
    assert calls(door, "Subscribe") == 1
    await until(door, "leased", 0)


async def test_bad_answer_over_the_stream_is_told(mq: aio.Connection) -> None:
    q = mq.queue("q")
    await q.send("a")
    async with q.subscribe() as subscription:
        message = await anext(subscription)
        with pytest.raises(InvalidArgument, match="lease must be"):
            await message.extend("2d")
        await message.ack()


async def test_subscription_outlives_its_connection(
    door: GrpcDoor, mq: aio.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost connection never loses or silently stops a subscription: what was not answered comes again."""
    q = mq.queue("q")
    await q.send_many("ab")
    async with q.subscribe(prefetch=2) as subscription:
        held = await anext(subscription)
        for attempt in (2, 3):
            before = lost(caplog)
            port = await shut(door)
            await until(door, "leased", 0)
            while lost(caplog) == before:
                await asyncio.sleep(0.001)
            await reopen(door, port)
            again = await anext(subscription)
            assert (again.text(), again.attempt) == ("a", attempt)
        with pytest.raises(crossdock.LeaseLost):
            await held.ack()
        await again.ack()
        second = await anext(subscription)
        assert second.text() == "b"
        await second.ack()
        await q.send("c")
        assert (await anext(subscription)).text() == "c"


async def test_answer_that_was_under_way_is_unknown(
    door: GrpcDoor, mq: aio.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    q = mq.queue("q")
    await q.send("a")
    never = asyncio.get_running_loop().create_future()

    async def hang(*_: object) -> Any:
        return await never

    async with q.subscribe() as subscription:
        message = await anext(subscription)
        monkeypatch.setattr(door.broker, "ack", hang)
        answering = asyncio.ensure_future(message.ack())
        while not next(iter(door.listener._subscribing._open))._answering._under_way:
            await asyncio.sleep(0)
        await shut(door)
        with pytest.raises(StoreUnavailable, match="the stream was lost, the outcome is unknown"):
            await answering
    never.cancel()


async def test_what_ends_a_subscription_for_good_is_raised(door: GrpcDoor, mq: aio.Connection) -> None:
    subscription = mq.queue("q").subscribe()
    taking = await waiting(anext(subscription))
    await door.until_waiting()
    await door.broker.delete_queue(Q)
    with pytest.raises(QueueNotFound, match="'q'"):
        await taking


async def test_none_is_lost_and_none_comes_twice_to_who_answers(door: GrpcDoor, mq: aio.Connection) -> None:
    """While the connection is lost again and again: each message is acked once."""
    q = mq.queue("q", backoff=0, max_attempts=0)
    await q.send_many([str(number) for number in range(200)])
    acked: list[str] = []

    async def consume(subscription: aio.Subscription) -> None:
        async for message in subscription:
            try:
                await message.ack()
            except (crossdock.LeaseLost, StoreUnavailable):
                continue
            acked.append(message.text())

    consumers = [asyncio.ensure_future(consume(q.subscribe(prefetch=10))) for _ in range(3)]
    for _ in range(4):
        before = len(acked)
        while len(acked) < min(before + 20, 190):
            await asyncio.sleep(0)
        await reopen(door, await shut(door))
    await until(door, "stored", 0)
    for consumer in consumers:
        consumer.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)
    assert len(acked) == len(set(acked))
    assert (await door.broker.stats(Q)).totals.acked == 200


async def test_at_most_once_settles_before_the_hand_out(door: GrpcDoor, mq: aio.Connection) -> None:
    q = mq.queue("q")
    await q.send_many("abc")
    async with q.subscribe(prefetch=3, mode="at-most-once") as subscription:
        assert (await anext(subscription)).text() == "a"
        assert (await q.stats()).stored == 2
    await until(door, "leased", 0)
    assert [message.text() for message in await q.receive(max_messages=9)] == ["b", "c"]


async def test_message_that_may_be_settled_is_not_handed_over(
    door: GrpcDoor, mq: aio.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    q = mq.queue("q")
    await q.send_many("ab")
    failing = [StoreUnavailable("the disk is away")]
    ack = door.broker.ack

    def once(*args: Any) -> Any:
        if failing:
            raise failing.pop()
        return ack(*args)

    monkeypatch.setattr(door.broker, "ack", once)
    async with q.subscribe(prefetch=2, mode="at-most-once") as subscription:
        assert (await anext(subscription)).text() == "b"
    assert "message 1 was not handed over" in caplog.text


async def test_close_asks_for_no_more_and_waits_for_answers(door: GrpcDoor) -> None:
    mq = await aio.connect(door.listener.url)
    q = mq.queue("q")
    await q.send_many("abc")
    message = await anext(q.subscribe(prefetch=1))
    closing = await waiting(mq.close(timeout="1h"))
    await message.ack()
    await closing
    stats = await door.broker.stats(Q)
    assert (stats.stored, stats.leased) == (2, 0)
    assert stats.totals.delivered == 1


@pytest.mark.parametrize("code", [StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.CANCELLED])
async def test_what_the_library_calls_internal_is_a_lost_connection(code: StatusCode) -> None:
    """A write that meets the end of the connection; a fault of the server comes with the id of the call."""
    connection = GrpcConnection("grpc://127.0.0.1:1", "")
    lost = AioRpcError(code, None, Metadata(), "Failed execute_batch")
    assert isinstance(connection.told(lost, "q"), StoreUnavailable)
    fault = AioRpcError(code, None, Metadata(("x-request-id", "7")), "internal error")
    assert type(connection.told(fault, "q")) is CrossdockError


# Connecting


@pytest.mark.parametrize(
    "url",
    ["grpc://", "grpc://host", "grpc://host:x", "grpc://host:99999", "grpc://me:secret@host:1", "grpc://host:1/path"],
)
@pytest.mark.parametrize("connect", [crossdock.connect, aio.connect], ids=["blocking", "aio"])
def test_url_that_makes_no_sense(url: str, connect: Any) -> None:
    with pytest.raises(InvalidArgument, match="url must be grpc://HOST:PORT") as refused:
        connect(url)
    assert "secret" not in str(refused.value)


async def test_nobody_listens() -> None:
    async with aio.connect("grpc://127.0.0.1:1") as mq:
        with pytest.raises(StoreUnavailable, match=r"grpc://127\.0\.0\.1:1 did not answer"):
            await mq.queue("q").send("a")


async def test_key_is_asked_for() -> None:
    async with GrpcDoor(MemoryStore(), api_key="hunter2") as door:
        for key in (None, "hunter3"):
            async with aio.connect(door.listener.url, api_key=key) as mq:
                with pytest.raises(AccessDenied) as refused:
                    await mq.queue("q").send("a")
                assert "hunter" not in str(refused.value)
        async with aio.connect(door.listener.url, api_key="hunter2") as mq:
            assert await mq.queue("q").send("a") == 1
            async with mq.queue("q").subscribe() as subscription:
                assert (await anext(subscription)).text() == "a"


def test_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("crossdock.client.grpc")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(InvalidArgument, match=r"url needs the extra crossdock\[grpc\]"):
        crossdock.connect("grpc://127.0.0.1:50051")


def test_plain_import_leaves_grpc_alone(tmp_path: Path) -> None:
    program = "import sys, crossdock; crossdock.connect('memory://').close(); sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 0

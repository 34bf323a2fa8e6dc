"""The transports to a server: each verb does what the broker's does, each error comes back as itself."""

import pickle
from collections.abc import AsyncIterator, Iterator

import pytest

from crossdock.client.http import HttpTransport
from crossdock.client.http_errors import told_error
from crossdock.client.opening import opener
from crossdock.client.transport import Transport
from crossdock.config import Grpc, Ws
from crossdock.core.errors import (
    AccessDenied,
    CrossdockError,
    DedupConflict,
    InvalidArgument,
    LeaseLost,
    MessageExpired,
    MessageNotFound,
    QueueClosed,
    QueueFull,
    QueueNotFound,
    RateLimited,
)
from crossdock.core.model import Message, Receipt, Settings
from served import ServerThread

Q = ("default", "q")


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with ServerThread("memory://") as running:
        yield running


@pytest.fixture(params=["http", "ws", "grpc"])
async def mq(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """A transport to a server with the queue q alone."""
    ws, grpc = Ws(enabled=request.param == "ws", port=0), Grpc(enabled=request.param == "grpc", port=0)
    with ServerThread("memory://", ws=ws, grpc=grpc) as server:
        url = server.ws_url or server.grpc_url or server.url
        transport = await opener(url, None)()
        if request.param != "http":
            await transport.delete_queue(("default", "default"))
        assert await transport.create_queue(Q) is True
        yield transport
        await transport.close()


async def test_message_comes_out_as_it_went_in(mq: Transport) -> None:
    sent = Message(bytes(range(256)), {"h": "é"}, priority=-3, ttl=60_000, dedup_id="d", ordering_key="k", delay=0)
    assert (await mq.send(Q, [sent, Message(b"1"), Message(b"")])).ids == [1, 2, 3]
    first, *_ = got = await mq.receive(Q, limit=10, lease=60_000, consumer="c")
    assert [each.message.body for each in got] == [bytes(range(256)), b"1", b""]
    message = first.message
    assert (message.id, message.headers, message.priority) == (1, {"h": "é"}, -3)
    assert (message.dedup_id, message.ordering_key) == ("d", "k")
    assert message.expires_at == message.enqueued_at + 60_000
    assert message.deliver_at == message.enqueued_at
    assert (first.attempt, first.consumer) == (1, "c")
    assert first.lease_until > message.enqueued_at
    assert await mq.message(Q, 1) == message


async def test_batch_is_sent_whole_or_not_at_all(mq: Transport) -> None:
    assert (await mq.send(Q, [Message(b"a", dedup_id="d"), Message(b"a", dedup_id="d")])).duplicates == [1]
    with pytest.raises(DedupConflict, match="'d'"):
        await mq.send(Q, [Message(b"c"), Message(b"b", dedup_id="d")])
    assert (await mq.stats(Q)).stored == 1


async def test_large_batch_passes(mq: Transport) -> None:
    body = b"\xff" * 1024 * 1024
    assert len((await mq.send(Q, [Message(body) for _ in range(16)])).ids) == 16
    assert [each.message.body == body for each in await mq.receive(Q, limit=16)] == [True] * 16


async def test_deliveries_are_answered_and_stale_receipts_named(mq: Transport) -> None:
    await mq.send(Q, [Message(b"%d" % n) for n in range(5)])
    a, b, c, d, e = await mq.receive(Q, limit=5, lease=60_000)
    assert await mq.extend(Q, "default", [a, b], 120_000) == {}
    assert await mq.ack(Q, "default", [a]) == {}
    assert await mq.nack(Q, "default", [b], 0, "why") == {}
    assert await mq.nack(Q, "default", [e]) == {}
    assert await mq.reject(Q, "default", [c], "never") == {}
    failures = await mq.ack(Q, "default", [a, d, b, Receipt(99, 1, 1)])
    assert {index: type(error) for index, error in failures.items()} == {
        0: MessageNotFound,
        2: LeaseLost,
        3: MessageNotFound,
    }
    assert {index: error.message_id for index, error in failures.items() if isinstance(error, LeaseLost)} == {
        0: a.id,
        2: b.id,
        3: 99,
    }
    seen = {each.message.id: each for each in await mq.browse(Q)}
    assert (seen[b.id].state, seen[b.id].error) == ("ready", "why")
    assert seen[e.id].state == "delayed"
    (dead,) = await mq.browse(("default", "q.dlq"))
    assert dead.message.headers is not None
    assert dead.message.headers["x-error"] == "never"


async def test_receive_waits_and_finds_nothing_or_everything_leased(mq: Transport) -> None:
    assert await mq.receive(Q, wait=1) == []
    await mq.send(Q, [Message(b"x")])
    assert len(await mq.receive(Q, lease=60_000, wait=20_000)) == 1
    assert await mq.receive(Q) == []
    assert await mq.receive(Q, wait=1) == []


async def test_auto_ack_leaves_nothing(mq: Transport) -> None:
    await mq.send(Q, [Message(b"x")])
    assert len(await mq.receive(Q, auto_ack=True)) == 1
    assert (await mq.stats(Q)).stored == 0


async def test_browse_pages_in_both_orders_and_peek_in_delivery_order(mq: Transport) -> None:
    await mq.send(Q, [Message(b"%d" % n, priority=-n) for n in range(4)])
    await mq.receive(Q, lease=60_000)
    assert [each.message.id for each in await mq.browse(Q, limit=2, after=1)] == [2, 3]
    assert [each.message.id for each in await mq.browse(Q, limit=2, after=4, descending=True)] == [3, 2]
    assert [each.message.id for each in await mq.browse(Q, state="leased")] == [4]
    assert [each.message.id for each in await mq.peek(Q, limit=9)] == [3, 2, 1]


async def test_queues_groups_and_settings(mq: Transport) -> None:
    settings = Settings(
        lease=1_500, max_attempts=9, backoff=0, ttl=86_400_000, dead_letter="", dedup_window=1, max_messages=5
    )
    other = ("default", "r")
    assert await mq.create_queue(other, settings) is True
    assert await mq.create_queue(other, settings) is False
    assert (await mq.stats(other)).settings == settings
    await mq.update_queue(other, Settings(paused=True, overflow="drop-oldest", max_bytes=10))
    assert (await mq.stats(other)).settings == Settings(paused=True, overflow="drop-oldest", max_bytes=10)
    assert await mq.create_group(other, "g") is True
    assert await mq.create_group(other, "g") is False
    assert list((await mq.stats(other)).groups) == ["g"]
    assert await mq.delete_group(other, "g") is True
    assert await mq.delete_group(other, "g") is False
    assert await mq.queues("default") == ["q", "r"]
    await mq.delete_queue(other)
    assert await mq.queues("default") == ["q"]


async def test_messages_are_deleted_and_redriven_by_id_or_all(mq: Transport) -> None:
    await mq.send(Q, [Message(b"%d" % n) for n in range(5)])
    assert await mq.delete_messages(Q, []) == 0
    assert await mq.delete_messages(Q, [1, 77]) == 1
    await mq.reject(Q, "default", await mq.receive(Q, limit=3))
    dead = ("default", "q.dlq")
    assert await mq.redrive(dead, []) == 0
    assert await mq.redrive(dead, [3]) == 1
    assert await mq.redrive(dead) == 2
    assert await mq.delete_messages(Q) == 4


async def test_each_error_comes_back_as_itself(mq: Transport) -> None:
    nowhere = ("default", "nowhere")
    with pytest.raises(QueueNotFound, match="queue 'nowhere' does not exist"):
        await mq.send(nowhere, [Message(b"")])
    with pytest.raises(QueueNotFound):
        await mq.receive(nowhere)
    with pytest.raises(MessageNotFound) as missing:
        await mq.message(Q, 7)
    assert missing.value.message_id == 7
    with pytest.raises(MessageExpired):
        await mq.send(Q, [Message(b"", ttl=1, delay=10)])
    await mq.update_queue(Q, Settings(max_messages=1))
    with pytest.raises(QueueFull):
        await mq.send(Q, [Message(b""), Message(b"")])
    with pytest.raises(InvalidArgument, match=r"^priority must be a whole number from -1000 to 1000, got 9999$") as bad:
        await mq.send(Q, [Message(b"", priority=9999)])
    assert bad.value.field == "priority"
    assert str(pickle.loads(pickle.dumps(bad.value))) == str(bad.value)
    with pytest.raises(InvalidArgument, match="kind"):
        await mq.create_queue(Q, Settings(kind="topic"))


@pytest.mark.parametrize("name", ["a/b", "..", "", "q?x=1", "q#", "q/../r"])
async def test_hostile_name_stays_here(mq: Transport, name: str) -> None:
    with pytest.raises(InvalidArgument, match="queue must be"):
        await mq.stats(("default", name))


async def test_other_namespace_is_refused(mq: Transport) -> None:
    with pytest.raises(InvalidArgument, match=r"namespace must be 'default' over (HTTP|gRPC)"):
        await mq.stats(("other", "q"))
    with pytest.raises(InvalidArgument, match="namespace"):
        await mq.queues("other")


async def test_key_is_needed_and_never_shown() -> None:
    with ServerThread("memory://", "hunter2") as server:
        for key in (None, "hunter3"):
            transport = await HttpTransport(server.url, key).open()
            with pytest.raises(AccessDenied) as refused:
                await transport.create_queue(Q)
            assert "hunter" not in str(refused.value)
            await transport.close()
        transport = await HttpTransport(server.url, "hunter2").open()
        assert await transport.create_queue(Q) is True
        await transport.close()


async def test_rate_limit_says_when_to_come_back() -> None:
    with ServerThread("memory://", rate=0.01) as server:
        transport = await HttpTransport(server.url).open()
        await transport.queues("default")
        with pytest.raises(RateLimited) as limited:
            await transport.queues("default")
        assert 90 < limited.value.retry_after <= 100
        await transport.close()


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"retry-after": "7"}, 7), ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1), ({}, 1)]
)
def test_rate_limit_of_a_proxy_is_one_too(headers: dict[str, str], seconds: float) -> None:
    told = told_error(429, headers, b"<html>", "q", 0)
    assert isinstance(told, RateLimited)
    assert told.retry_after == seconds


async def test_closed_transport_and_missing_server(server: ServerThread) -> None:
    transport = await HttpTransport(server.url).open()
    await transport.close()
    await transport.close()
    with pytest.raises(QueueClosed):
        await transport.queues("default")
    transport = await HttpTransport(f"{server.url}/elsewhere").open()
    with pytest.raises(CrossdockError, match="no such route"):
        await transport.queues("default")
    await transport.close()

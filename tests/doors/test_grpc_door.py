"""The gRPC door beyond the contracts: crossdock.v1.Broker, subscriptions, limits, hostile input, the door's end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from grpc import StatusCode, aio

from crossdock.core.errors import QueueFull
from crossdock.core.model import Message, Settings
from crossdock.doors.grpc.errors import STATUSES
from crossdock.doors.grpc.listener import REQUEST_BYTES_MAX
from crossdock.doors.grpc.outbox import SETTLED_MAX
from crossdock.doors.grpc.subscribing import RESPONSE_BYTES
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from grpc_door import BROKER, GROUP, MESSAGE_QUEUE, QUEUE_SERVICE, SERVICES, GrpcDoor, Reflected, Stream, trailing

Q = ("default", "q")
SUBSCRIBE = f"{BROKER}/Subscribe"
PEM = Path(__file__).parent.parent / "server"


@pytest.fixture(params=["memory", "sqlite"])
async def mq(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[GrpcDoor]:
    store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "queues.db")
    async with GrpcDoor(store) as door:
        await door.create()
        yield door


@pytest.fixture
async def door() -> AsyncIterator[GrpcDoor]:
    """Where the store does not matter."""
    async with GrpcDoor(MemoryStore()) as opened:
        await opened.create()
        yield opened


class Subscriber:
    """A subscription, and what came over it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.call = stream.call
        self.write = stream.write
        self.ended = stream.ended
        self._deliveries: list[Any] = []
        self._settled: list[Any] = []

    async def read(self) -> Any:
        response = await self.stream.read()
        self._deliveries += response.deliveries
        self._settled += response.settled
        return response

    async def take(self, count: int) -> list[Any]:
        """So many deliveries."""
        while len(self._deliveries) < count:
            await self.read()
        taken, self._deliveries = self._deliveries[:count], self._deliveries[count:]
        return taken

    async def settle(self, *settlements: dict[str, Any]) -> list[Any]:
        """Settle, and wait for every answer."""
        await self.write({"settle": [{"tag": tag, **each} for tag, each in enumerate(settlements, 1)]})
        while len(self._settled) < len(settlements):
            await self.read()
        settled, self._settled = self._settled, []
        return sorted(settled, key=lambda each: each.tag)


async def subscribe(door: GrpcDoor, credit: int | None = None, **start: Any) -> Subscriber:
    """A subscription that has begun."""
    stream = Subscriber(door.client.stream(door.channel, SUBSCRIBE))
    request: dict[str, Any] = {"start": {"queue": "q"} | start}
    await stream.write(request if credit is None else request | {"credit": credit})
    assert (await stream.read()).started
    return stream


async def leased(door: GrpcDoor) -> int:
    return (await door.broker.stats(Q)).leased


async def until_leased(door: GrpcDoor, count: int) -> None:
    while await leased(door) != count:
        await asyncio.sleep(0)


# crossdock.v1.Broker


async def test_batches_go_round(mq: GrpcDoor) -> None:
    bodies = ["", "AA==", "YQ=="]
    sent = await mq.call("Send", BROKER, queue="q", messages=[{"body": body} for body in bodies])
    assert len(sent.ids) == 3
    received = await mq.call("Receive", BROKER, queue="q", limit=10, lease=60_000, consumer="c")
    assert [each.message.body for each in received.deliveries] == [b"", b"\0", b"a"]
    receipts = [each.receipt for each in received.deliveries]
    settled = await mq.call("Settle", BROKER, queue="q", settlement={"receipts": receipts, "ack": {}})
    assert not settled.settled.failures
    again = await mq.call("Settle", BROKER, queue="q", settlement={"receipts": receipts[:1], "ack": {}, "tag": 7})
    assert settled.settled.tag == 0
    assert again.settled.tag == 7
    (failure,) = again.settled.failures
    assert (failure.index, failure.message_id, failure.code) == (0, sent.ids[0], "message_not_found")


async def test_one_bad_message_refuses_the_batch(mq: GrpcDoor) -> None:
    error = await mq.refused("Send", BROKER, queue="q", messages=[{"body": "YQ=="}, {"priority": 5000}])
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert error.details() == "priority must be a whole number from -1000 to 1000, got 5000"
    assert (await mq.broker.stats(Q)).stored == 0


async def test_wait_of_a_receive_ends_with_the_deadline(mq: GrpcDoor) -> None:
    """F10: a deadline shorter than the wait takes no message along."""
    error = await mq.refused("Receive", BROKER, queue="q", wait=3_600_000, timeout=0.2)
    assert error.code() is StatusCode.DEADLINE_EXCEEDED
    while mq.broker.room.members:
        await asyncio.sleep(0)
    await mq.send(b"a")
    assert (await mq.call("Receive", BROKER, queue="q")).deliveries[0].attempt == 1


async def test_receive_finds_nothing(mq: GrpcDoor) -> None:
    assert not (await mq.call("Receive", BROKER, queue="q")).deliveries


@pytest.mark.parametrize(
    ("method", "fields", "text"),
    [
        ("Send", {"queue": "q"}, "messages must have 1 to 1000 elements, got '0 elements'"),
        ("Send", {"queue": "q", "messages": [{"delay": 1, "deliver_at": 2}]}, "deliver_at must not be given"),
        ("Send", {"queue": "q", "messages": [{"dedup_id": ""}]}, "dedup_id must be"),
        ("Receive", {"queue": "q", "limit": 1001}, "limit must be a whole number from 1 to 1000, got 1001"),
        ("Receive", {"queue": "q", "limit": -1}, "limit must be"),
        ("Receive", {"queue": "q", "lease": -1}, "lease must be"),
        ("Receive", {"queue": "a b"}, "queue must be"),
        ("Settle", {"queue": "q"}, "settlement must say ack, nack, reject or extend, got None"),
        ("Settle", {"queue": "q", "settlement": {"ack": {}}}, "receipts must have 1 to 1000 elements"),
        ("Settle", {"queue": "q", "settlement": {"receipts": ["?"], "ack": {}}}, "receipt must be .*, got '?'"),
        ("Settle", {"queue": "q", "group": "!", "settlement": {"receipts": ["1.1.1"], "ack": {}}}, "group must be"),
        ("CreateQueue", {"queue": "r", "settings": {"kind": "heap"}}, "kind must be one of queue, topic, got 'heap'"),
        ("CreateQueue", {"queue": "r", "settings": {"max_messages": 0}}, "max_messages must be"),
        ("UpdateQueue", {"queue": "q", "settings": {"overflow": "no"}}, "overflow must be"),
        ("CreateGroup", {"queue": "q", "group": "a b"}, "group must be"),
        ("Peek", {"queue": "q", "limit": 1001}, "limit must be"),
        ("Browse", {"queue": "q", "state": "lost"}, "state must be delayed, ready or leased, got 'lost'"),
        ("GetMessage", {"queue": "q"}, "message_id must be"),
        ("DeleteMessages", {"queue": "q", "ids": [0]}, "message_ids must be"),
        ("Redrive", {"queue": "q", "ids": [1], "all": True}, "ids must not be given together with all"),
    ],
)
async def test_bad_argument_is_named(door: GrpcDoor, method: str, fields: dict[str, Any], text: str) -> None:
    error = await door.refused(method, BROKER, **fields)
    assert error.code() is StatusCode.INVALID_ARGUMENT
    beginning, _, end = text.partition(".*")
    assert str(error.details()).startswith(beginning)
    assert str(error.details()).endswith(end)
    assert trailing(error)["x-error-code"] == "invalid_argument"


async def test_queue_that_is_full(door: GrpcDoor) -> None:
    await door.broker.update_queue(Q, Settings(max_messages=1))
    await door.send(b"a")
    error = await door.refused("Send", BROKER, queue="q", messages=[{}])
    assert error.code() is STATUSES[QueueFull.code]
    assert trailing(error)["x-error-code"] == "queue_full"


# Subscribe


async def test_messages_are_pushed_within_the_credit(mq: GrpcDoor) -> None:
    """F32: no more than the credit is unanswered."""
    stream = await subscribe(mq, credit=2, consumer="c")
    for body in (b"a", b"b", b"c"):
        await mq.send(body)
    first, second = await stream.take(2)
    assert (first.message.body, second.message.body, first.attempt) == (b"a", b"b", 1)
    assert await leased(mq) == 2
    (answer,) = await stream.settle({"receipts": [first.receipt], "ack": {}})
    assert not answer.failures
    (third,) = await stream.take(1)
    assert third.message.body == b"c"


async def test_answers_of_all_kinds(mq: GrpcDoor) -> None:
    for body in (b"a", b"b", b"c", b"d"):
        await mq.send(body)
    stream = await subscribe(mq)
    a, b, c, d = [each.receipt for each in await stream.take(4)]
    answers = await stream.settle(
        {"receipts": [a], "ack": {}},
        {"receipts": [b], "nack": {"delay": 3_600_000, "error": "later"}},
        {"receipts": [c], "reject": {"error": "never"}},
        {"receipts": [d], "extend": {"lease": 7_200_000}},
        {"receipts": [a, b], "nack": {}},
        {"receipts": ["nonsense"], "ack": {}},
        {"receipts": [d]},
    )
    assert [len(each.failures) for each in answers] == [0, 0, 0, 0, 2, 0, 0]
    assert {each.code for each in answers[4].failures} == {"message_not_found", "lease_lost"}
    assert [each.problem.code for each in answers[5:]] == ["invalid_argument"] * 2
    stats = await mq.broker.stats(Q)
    assert (stats.delayed, stats.leased, stats.dead) == (1, 1, 1)
    mq.clock.advance(3_600_000)
    (again,) = await stream.take(1)
    assert (again.message.body, again.attempt) == (b"b", 2)
    assert await leased(mq) == 2


async def test_the_stream_that_ends_gives_back_at_once(mq: GrpcDoor) -> None:
    """F10: whether the client ends it, cancels it, or is gone."""
    await mq.send(b"a")
    for attempt, end in enumerate(("done", "cancel", "close"), 1):
        stream = await subscribe(mq)
        (delivery,) = await stream.take(1)
        assert delivery.attempt == attempt
        if end == "done":
            await stream.call.done_writing()
            assert await stream.ended() is StatusCode.OK
        elif end == "cancel":
            stream.call.cancel()
        else:
            await mq.channel.close()
            mq.channel = aio.insecure_channel(mq.target)
        await until_leased(mq, 0)


async def test_credit_changes_on_the_way(door: GrpcDoor) -> None:
    stream = await subscribe(door, credit=0)
    for body in (b"a", b"b", b"c"):
        await door.send(body)
    assert not (await stream.settle({"receipts": ["1.1.1"], "ack": {}}))[0].HasField("problem")
    assert await leased(door) == 0
    await stream.write({"credit": 2})
    first, _ = await stream.take(2)
    await stream.write({"credit": 0})
    await stream.settle({"receipts": [first.receipt], "ack": {}})
    assert await leased(door) == 1
    await stream.write({"credit": 2})
    assert [each.message.body for each in await stream.take(1)] == [b"c"]


async def test_members_share_a_group_in_turn(door: GrpcDoor) -> None:
    streams = [await subscribe(door, group=GROUP) for _ in range(2)]
    for number in range(6):
        await door.send(b"%d" % number)
    got = [[each.message.body for each in await stream.take(3)] for stream in streams]
    assert sorted(got[0] + got[1]) == [b"%d" % number for number in range(6)]


async def test_subscriber_of_a_topic_gets_what_is_sent_from_its_start_on(door: GrpcDoor) -> None:
    await door.broker.create_queue(("default", "t"), Settings(kind="topic"))
    await door.send(b"before", "t")
    stream = await subscribe(door, queue="t", group="me")
    await door.send(b"after", "t")
    assert [each.message.body for each in await stream.take(1)] == [b"after"]


async def test_auto_ack_leaves_nothing(door: GrpcDoor) -> None:
    await door.send(b"a")
    stream = await subscribe(door, auto_ack=True)
    await stream.take(1)
    assert (await door.broker.stats(Q)).stored == 0


async def test_large_messages_come_in_several_responses(door: GrpcDoor) -> None:
    body = bytes(700_000)
    for _ in range(6):
        await door.send(body)
    stream = await subscribe(door)
    sizes = []
    while len(sizes) < 3:
        response = await stream.read()
        sizes.append(sum(len(each.message.body) for each in response.deliveries))
    assert sum(sizes) == 6 * len(body)
    assert max(sizes) < RESPONSE_BYTES + len(body)


async def test_reader_that_is_slow_holds_up_nobody_and_little(door: GrpcDoor) -> None:
    """F32: what a client does not read waits in the queue, for others too once it is gone."""
    slow = await subscribe(door, credit=1_000_000)
    for _ in range(100):
        await door.broker.send(Q, [Message(bytes(100_000)) for _ in range(10)])
    quick = await subscribe(door, credit=1_000_000)
    got = await quick.take(300)
    assert all(len(each.message.body) == 100_000 for each in got)
    slow.call.cancel()
    await quick.take(1000 - len(got))


async def test_client_that_reads_no_answers_is_not_listened_to(door: GrpcDoor) -> None:
    """F32: answers that wait are bounded."""
    stream = await subscribe(door)
    request = {"settle": [{"tag": 2**60, "receipts": ["1.1.1"], "ack": {}}] * 100}
    writing = asyncio.ensure_future(_write_for_ever(stream, request))
    (open_stream,) = door.listener._subscribing._open
    outbox = open_stream._outbox
    while len(outbox._settled) < SETTLED_MAX:
        await asyncio.sleep(0)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert len(outbox._settled) == SETTLED_MAX
    writing.cancel()
    stream.call.cancel()


async def _write_for_ever(stream: Subscriber, request: dict[str, Any]) -> None:
    while True:
        await stream.write(request)


@pytest.mark.parametrize(
    ("requests", "code", "text"),
    [
        ([{}], StatusCode.INVALID_ARGUMENT, "start must be in the first request of the stream, got None"),
        ([{"start": {"queue": "nowhere"}}], StatusCode.NOT_FOUND, "queue 'nowhere' does not exist"),
        ([{"start": {"queue": "q"}, "credit": -1}], StatusCode.INVALID_ARGUMENT, "credit must be a whole number"),
        ([{"start": {"queue": "q", "lease": -1}}], StatusCode.INVALID_ARGUMENT, "lease must be"),
        ([{"start": {"queue": "q"}}, {"start": {"queue": "q"}}], StatusCode.INVALID_ARGUMENT, "start must be in the"),
        ([{"start": {"queue": "q"}}, {"credit": -1}], StatusCode.INVALID_ARGUMENT, "credit must be"),
    ],
)
async def test_bad_stream_ends_with_a_status(
    door: GrpcDoor, requests: list[dict[str, Any]], code: StatusCode, text: str
) -> None:
    stream = door.client.stream(door.channel, SUBSCRIBE)
    for request in requests:
        await stream.write(request)
    assert await stream.ended() is code
    assert (await stream.call.details()).startswith(text)
    while door.broker.members.rotations:
        await asyncio.sleep(0)


async def test_queue_that_is_deleted_ends_its_streams(door: GrpcDoor) -> None:
    stream = await subscribe(door)
    await door.until_waiting()
    await door.broker.delete_queue(Q)
    assert await stream.ended() is StatusCode.NOT_FOUND


async def test_stream_without_a_request_ends(door: GrpcDoor) -> None:
    stream = door.client.stream(door.channel, SUBSCRIBE)
    await stream.call.done_writing()
    assert await stream.ended() is StatusCode.INVALID_ARGUMENT


# Limits and hostile input


@pytest.mark.parametrize("path", [f"{QUEUE_SERVICE}/Enqueue", f"{BROKER}/Send", "grpc.health.v1.Health/Check"])
async def test_request_that_is_no_message(door: GrpcDoor, path: str) -> None:
    call = door.channel.unary_unary(f"/{path}")
    with pytest.raises(aio.AioRpcError) as refused:
        await call(b"\xff\xff\xff")
    assert refused.value.code() is StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "the request must be a message of this method's type"


async def test_stream_of_what_is_no_message(door: GrpcDoor) -> None:
    for path in (SUBSCRIBE, f"{MESSAGE_QUEUE}/StreamMessages"):
        call = door.channel.stream_stream(f"/{path}")()
        await call.write(b"\xff\xff\xff")
        assert await call.code() is StatusCode.INVALID_ARGUMENT


async def test_method_that_is_not_there(door: GrpcDoor) -> None:
    call = door.channel.unary_unary(f"/{QUEUE_SERVICE}/Steal", Empty.SerializeToString)
    with pytest.raises(aio.AioRpcError) as refused:
        await call(Empty())
    assert refused.value.code() is StatusCode.UNIMPLEMENTED


async def test_request_that_is_too_large_is_refused_before_it_is_read(door: GrpcDoor) -> None:
    call = door.channel.unary_unary(f"/{BROKER}/Send")
    with pytest.raises(aio.AioRpcError) as refused:
        await call(bytes(REQUEST_BYTES_MAX + 1))
    assert refused.value.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_largest_batch_passes(door: GrpcDoor) -> None:
    body = "A" * (1024 * 1024 // 3 * 4)
    batch = [{"body": body, "headers": {"h": "v" * 16_000}}] * 16
    assert len((await door.call("Send", BROKER, queue="q", messages=batch)).ids) == 16


# Counting


async def test_calls_are_counted(door: GrpcDoor) -> None:
    await door.enqueue("a")
    await door.refused("Enqueue", queue_name="nowhere", message="a")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in door.listener.metrics()
        for sample in metric.samples
    }
    method = f"/{QUEUE_SERVICE}/Enqueue"
    assert samples["crossdock_grpc_calls_total", method, "OK"] == 1
    assert samples["crossdock_grpc_calls_total", method, "NOT_FOUND"] == 1
    assert samples["crossdock_grpc_call_seconds_count", method] == 2
    assert samples["crossdock_grpc_running_calls",] == 0
    stream = await subscribe(door)
    assert [m.samples[0].value for m in door.listener.metrics() if m.name == "crossdock_grpc_running_calls"] == [1]
    stream.call.cancel()


# The door's life


async def test_long_polls_end_at_once_when_the_server_stops(mq: GrpcDoor) -> None:
    waits = [
        mq.client.unary(mq.channel, f"{BROKER}/Receive", {"queue": "q", "wait": 3_600_000}),
        mq.client.unary(
            mq.channel,
            f"{QUEUE_SERVICE}/Dequeue",
            {"queue_name": "q", "group": GROUP, "consumer_id": "c", "wait": "1h"},
        ),
    ]
    await mq.until_waiting(2)
    mq.broker.room.close()
    await mq.listener.stop()
    assert not (await waits[0]).deliveries
    with pytest.raises(aio.AioRpcError) as empty:
        await waits[1]
    assert empty.value.code() is StatusCode.NOT_FOUND


async def test_idle_streams_end_at_once_when_the_server_stops(mq: GrpcDoor) -> None:
    idle = await subscribe(mq)
    silent = mq.client.stream(mq.channel, SUBSCRIBE)
    echo = mq.client.stream(mq.channel, f"{MESSAGE_QUEUE}/StreamMessages")
    await echo.write({})
    await echo.read()
    health = mq.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    await health.read()
    reflection = mq.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")()
    await silent.call.wait_for_connection()
    mq.broker.room.close()
    await mq.listener.stop()
    await mq.listener.stop()
    assert [await each.ended() for each in (idle, silent, echo)] == [StatusCode.UNAVAILABLE] * 3
    assert await health.read() != aio.EOF
    assert await reflection.code() is not StatusCode.OK


async def test_consumer_may_answer_while_the_server_stops(mq: GrpcDoor) -> None:
    """F10: what it has not seen is given back at once, what it has it may answer."""
    for body in (b"a", b"b"):
        await mq.send(body)
    stream = await subscribe(mq, credit=1)
    (delivery,) = await stream.take(1)
    mq.broker.room.close()
    stopping = asyncio.ensure_future(mq.listener.stop())
    (answer,) = await stream.settle({"receipts": [delivery.receipt], "ack": {}})
    assert not answer.failures
    assert await stream.ended() is StatusCode.UNAVAILABLE
    await stopping
    stats = await mq.broker.stats(Q)
    assert (stats.stored, stats.leased) == (1, 0)


async def test_who_does_not_answer_is_cut_off_after_the_grace(mq: GrpcDoor) -> None:
    await mq.send(b"a")
    stream = await subscribe(mq)
    await stream.take(1)
    await mq.listener.stop(0.1)
    assert await stream.ended() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
    await until_leased(mq, 0)


async def test_health_says_closing(door: GrpcDoor) -> None:
    door.broker.room.close()
    error = await door.refused("HealthCheck")
    assert (error.code(), trailing(error)["x-error-code"]) == (StatusCode.UNAVAILABLE, "queue_closed")


async def test_address_that_is_taken(door: GrpcDoor) -> None:
    other = GrpcDoor(MemoryStore())
    other.broker = door.broker
    listener = type(door.listener)(door.broker, "127.0.0.1", door.listener.port)
    with pytest.raises(OSError, match="in use"):
        await listener.start()
    assert listener.url == door.listener.url == f"grpc://{door.target}"


async def test_tls() -> None:
    cert, key = PEM / "cert.pem", PEM / "key.pem"
    async with GrpcDoor(MemoryStore()) as door:
        with pytest.raises(OSError, match="No such file"):
            type(door.listener)(door.broker, "127.0.0.1", 0, tls_cert=PEM / "missing.pem", tls_key=key)
        listener = type(door.listener)(door.broker, "127.0.0.1", 0, tls_cert=cert, tls_key=key)
        await listener.start()
        assert listener.url.startswith("grpcs://")
        trusted = grpc.ssl_channel_credentials(cert.read_bytes())
        target = f"localhost:{listener.port}"
        async with aio.secure_channel(target, trusted, (("grpc.enable_http_proxy", 0),)) as channel:
            response = await door.client.unary(channel, f"{QUEUE_SERVICE}/HealthCheck", {}, timeout=20)
        assert response.status == "ok"
        await listener.stop()


async def test_reflection_tells_all_there_is(door: GrpcDoor) -> None:
    client = await asyncio.to_thread(Reflected, door.target, SERVICES)
    assert len(client.methods) == 11 + 3 + 16 + 2 + ("grpc.health.v1.Health/List" in client.methods)

"""Every line of the QuickPulse contract's gRPC section, by a client that knows the server by reflection.

The docstrings name the line. The modes have their tests in tests/config, WebSocket its own.
"""

from collections.abc import AsyncIterator

import pytest
from google.protobuf.descriptor import FieldDescriptor
from grpc import StatusCode

from crossdock.core.model import Settings
from crossdock.storage.base import Store
from crossdock.storage.memory import MemoryStore
from grpc_door import MESSAGE_QUEUE, QUEUE_SERVICE, GrpcDoor

STREAM = f"{MESSAGE_QUEUE}/StreamMessages"
BODY = "/wA="
"""Bytes that are no text, as JSON writes them."""


@pytest.fixture
async def mq(store: Store) -> AsyncIterator[GrpcDoor]:
    async with GrpcDoor(store) as door:
        yield door


@pytest.mark.parametrize(
    ("method", "request_fields", "response_fields"),
    [
        ("Produce", {"payload": 1}, {"success": 1, "error": 2}),
        ("Consume", {}, {"payload": 1, "error": 2}),
        ("StreamMessages", {"payload": 1, "error": 2}, {"payload": 1, "error": 2}),
    ],
)
async def test_messages(method: str, request_fields: dict[str, int], response_fields: dict[str, int]) -> None:
    """Produce {bytes payload} -> {bool success, string error}, Consume {} -> {bytes payload, string error}, ..."""
    types = {
        "payload": FieldDescriptor.TYPE_BYTES,
        "success": FieldDescriptor.TYPE_BOOL,
        "error": FieldDescriptor.TYPE_STRING,
    }
    async with GrpcDoor(MemoryStore()) as mq:
        kinds = mq.client.types(f"{MESSAGE_QUEUE}/{method}")
    for kind, wanted in zip(kinds, (request_fields, response_fields), strict=True):
        assert {field.name: field.number for field in kind.DESCRIPTOR.fields} == wanted
        assert all(field.type == types[field.name] for field in kind.DESCRIPTOR.fields)


async def test_served_beside_the_queue_service(mq: GrpcDoor) -> None:
    """proto package messagequeue; served beside queue.v1.QueueService on the same port."""
    assert {MESSAGE_QUEUE, QUEUE_SERVICE} <= set(mq.client.services)
    assert mq.client.methods[STREAM].client_streaming
    assert mq.client.methods[STREAM].server_streaming


async def test_what_is_produced_is_consumed_in_order(mq: GrpcDoor) -> None:
    """Produce and Consume, in memory and elsewhere; one default queue."""
    for payload in (BODY, "YQ==", ""):
        produced = await mq.call("Produce", MESSAGE_QUEUE, payload=payload)
        assert (produced.success, produced.error) == (True, "")
    consumed = [await mq.call("Consume", MESSAGE_QUEUE) for _ in range(3)]
    assert [(each.payload, each.error) for each in consumed] == [(b"\xff\x00", ""), (b"a", ""), (b"", "")]
    assert (await mq.broker.stats(("default", "default"))).stored == 0


async def test_empty_queue_is_an_error_and_no_failed_rpc(mq: GrpcDoor) -> None:
    """An empty queue is an error, not a failed RPC."""
    consumed = await mq.call("Consume", MESSAGE_QUEUE)
    assert (consumed.payload, consumed.error) == (b"", "queue is empty")


async def test_each_message_of_a_stream_is_enqueued_and_answered(mq: GrpcDoor) -> None:
    """Each message sent is enqueued, and answered with the next message of the queue."""
    await mq.call("Produce", MESSAGE_QUEUE, payload="b2xk")
    stream = mq.client.stream(mq.channel, STREAM)
    for sent, got in ((BODY, b"old"), ("YQ==", b"\xff\x00"), ("Yg==", b"a")):
        await stream.write({"payload": sent})
        response = await stream.read()
        assert (response.payload, response.error) == (got, "")
    await stream.call.done_writing()
    assert await stream.ended() is StatusCode.OK
    assert (await mq.call("Consume", MESSAGE_QUEUE)).payload == b"b"


async def test_stream_of_an_empty_queue_is_answered_by_an_error(mq: GrpcDoor) -> None:
    """... or an error when it is empty: another consumer, or a pause, may have left nothing."""
    await mq.broker.update_queue(("default", "default"), Settings(paused=True))
    stream = mq.client.stream(mq.channel, STREAM)
    await stream.write({"payload": BODY})
    assert (await stream.read()).error == "queue is empty"
    await stream.call.done_writing()
    assert await stream.ended() is StatusCode.OK


async def test_what_is_refused_is_told_in_the_response(mq: GrpcDoor) -> None:
    """{bool success, string error}."""
    produced = await mq.call("Produce", MESSAGE_QUEUE, payload="A" * (4 * 1024 * 1024 // 2))
    assert not produced.success
    assert produced.error.startswith("body must have at most 1048576 bytes")
    stream = mq.client.stream(mq.channel, STREAM)
    await stream.write({"payload": "A" * (4 * 1024 * 1024 // 2)})
    assert (await stream.read()).error.startswith("body must have at most")
    await stream.write({"payload": BODY})
    assert (await stream.read()).payload == b"\xff\x00"
    await stream.call.done_writing()
    assert await stream.ended() is StatusCode.OK


async def test_key_is_asked_for_where_there_is_one() -> None:
    """A door whose key is configured refuses what lacks it."""
    async with GrpcDoor(MemoryStore(), api_key="hunter2") as mq:
        for method in ("Produce", "Consume"):
            assert (await mq.refused(method, MESSAGE_QUEUE, key="")).code() is StatusCode.UNAUTHENTICATED
            await mq.call(method, MESSAGE_QUEUE)
        stream = mq.client.stream(mq.channel, STREAM)
        await stream.call.done_writing()
        assert await stream.ended() is StatusCode.UNAUTHENTICATED

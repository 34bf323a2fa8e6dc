"""Every line of the Mini contract's gRPC section, by a client that knows the server by reflection, on each store.

The docstrings name the line. `config.yml` has its tests in tests/config, HTTP and metrics in test_msg_queue_mini.py.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from grpc import StatusCode, aio

from crossdock.core.errors import StoreFailed
from crossdock.storage.base import Store
from crossdock.storage.memory import MemoryStore
from grpc_door import CONSUMER, GROUP, QUEUE_SERVICE, GrpcDoor, trailing

KEY = "hunter2"


@pytest.fixture
async def mq(store: Store) -> AsyncIterator[GrpcDoor]:
    async with GrpcDoor(store) as door:
        await door.create()
        yield door


@pytest.fixture
async def door() -> AsyncIterator[GrpcDoor]:
    """Where the store does not matter."""
    async with GrpcDoor(MemoryStore()) as opened:
        await opened.create()
        yield opened


@pytest.fixture
async def locked() -> AsyncIterator[GrpcDoor]:
    """A door that asks for a key."""
    async with GrpcDoor(MemoryStore(), api_key=KEY) as opened:
        await opened.create()
        yield opened


def asked(queue: str = "q", group: str = GROUP) -> dict[str, str]:
    """The fields of a Dequeue."""
    return {"queue_name": queue, "group": group, "consumer_id": CONSUMER}


# What is served


async def test_methods_are_unary_and_there(door: GrpcDoor) -> None:
    """Unary RPCs HealthCheck, CreateQueue, DeleteQueue, Enqueue, Dequeue, Ack, Nack, Peek, Renew, Status."""
    methods = {path.rpartition("/")[2]: each for path, each in door.client.methods.items() if QUEUE_SERVICE in path}
    wanted = {"HealthCheck", "CreateQueue", "DeleteQueue", "Enqueue", "Dequeue", "Ack", "Nack", "Peek", "Renew"}
    assert wanted | {"Status"} <= methods.keys()
    assert not any(each.client_streaming or each.server_streaming for each in methods.values())


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("CreateQueue", {"queue_name": 1}),
        ("DeleteQueue", {"queue_name": 1}),
        ("Enqueue", {"queue_name": 1, "message": 2}),
        ("Dequeue", {"queue_name": 1, "group": 2, "consumer_id": 3}),
        ("Ack", {"queue_name": 1, "group": 2, "message_id": 3, "receipt": 4}),
        ("Nack", {"queue_name": 1, "group": 2, "message_id": 3, "receipt": 4}),
        ("Peek", {"queue_name": 1, "group": 2}),
        ("Renew", {"queue_name": 1, "group": 2, "message_id": 3, "receipt": 4, "extend_sec": 5}),
        ("Status", {"queue_name": 1}),
    ],
)
async def test_fields_mirror_the_http_bodies_and_name_the_queue(
    door: GrpcDoor, method: str, fields: dict[str, int]
) -> None:
    """Fields mirror the HTTP bodies plus queue_name; their numbers are those of the clients that there are."""
    there = door.client.types(f"{QUEUE_SERVICE}/{method}")[0].DESCRIPTOR.fields
    assert {field.name: field.number for field in there if field.number < 10} == fields


async def test_types_of_fields(door: GrpcDoor) -> None:
    """message/payload are strings, ids int64, extend_sec int32."""
    types = {
        ("Enqueue", 0, "message"): FieldDescriptor.TYPE_STRING,
        ("Ack", 0, "message_id"): FieldDescriptor.TYPE_INT64,
        ("Renew", 0, "extend_sec"): FieldDescriptor.TYPE_INT32,
    }
    for (method, side, name), wanted in types.items():
        kind = door.client.types(f"{QUEUE_SERVICE}/{method}")[side]
        assert kind.DESCRIPTOR.fields_by_name[name].type == wanted
    message = door.client.types(f"{QUEUE_SERVICE}/Dequeue")[1].DESCRIPTOR.fields_by_name["message"].message_type
    assert message.fields_by_name["payload"].type == FieldDescriptor.TYPE_STRING
    assert message.fields_by_name["id"].type == FieldDescriptor.TYPE_INT64


async def test_health_check_says_ok(door: GrpcDoor) -> None:
    """HealthCheck (-> status: "ok")."""
    assert (await door.call("HealthCheck")).status == "ok"


async def test_the_example_is_a_valid_enqueue(mq: GrpcDoor) -> None:
    """{"queue_name":"default","message":"hello"} is a valid Enqueue."""
    response = await mq.call("Enqueue", **{"queue_name": "default", "message": "hello"})
    assert (response.status, response.queue_name, response.message) == ("enqueued", "default", "hello")
    assert (await mq.take("default")).payload == "hello"


async def test_reflection_is_on(door: GrpcDoor) -> None:
    """Server reflection is on."""
    assert {QUEUE_SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= set(
        door.client.services
    )


@pytest.mark.parametrize("service", ["", QUEUE_SERVICE])
async def test_standard_health_is_on(door: GrpcDoor, service: str) -> None:
    """The standard grpc.health.v1.Health is on."""
    response = await door.call("Check", "grpc.health.v1.Health", **({"service": service} if service else {}))
    assert response.status == 1  # SERVING


# Methods, on each store


async def test_queue_is_created_and_deleted(mq: GrpcDoor) -> None:
    """CreateQueue, creating again is not an error; DeleteQueue; unknown queue NOT_FOUND."""
    assert (await mq.call("CreateQueue", queue_name="q")).status == "created"
    assert (await mq.call("DeleteQueue", queue_name="q")).status == "deleted"
    assert (await mq.refused("DeleteQueue", queue_name="q")).code() is StatusCode.NOT_FOUND


async def test_message_goes_round(mq: GrpcDoor) -> None:
    """Enqueue, Peek, Dequeue, Ack: id, receipt, payload as over HTTP."""
    first = await mq.enqueue('{"n": 1}')
    peeked = await mq.call("Peek", queue_name="q", group=GROUP)
    assert (peeked.status, peeked.message.id, peeked.message.receipt) == ("ok", first, "")
    assert peeked.message.payload == '{"n": 1}'
    message = await mq.take()
    assert (message.id, message.payload, message.attempt) == (first, '{"n": 1}', 1)
    assert await mq.settle("Ack", message) == "ack ok"
    status = await mq.call("Status", queue_name="q")
    assert status.status == "ok"
    shown = status.queue_status
    assert (shown.queue_name, shown.total_messages, shown.acked_messages) == ("q", 0, 1)
    assert (shown.inflight_messages, shown.dlq_messages) == (0, 0)


async def test_status_says_where_messages_are_kept(mq: GrpcDoor, store: Store) -> None:
    """Status: queue_type, as over HTTP."""
    shown = (await mq.call("Status", queue_name="q")).queue_status
    assert shown.queue_type == ("memory" if isinstance(store, MemoryStore) else "file")


async def test_every_group_receives_every_message_once(mq: GrpcDoor) -> None:
    """Every group receives every message once; a late group starts with every stored message."""
    first = await mq.enqueue("a")
    one = await mq.take(group="g1")
    assert one.id == first
    assert (await mq.refused("Dequeue", **asked(group="g1"))).code() is StatusCode.ABORTED
    assert await mq.settle("Ack", await mq.take(group="late"), group="late") == "ack ok"
    assert (await mq.refused("Dequeue", **asked(group="late"))).code() is StatusCode.NOT_FOUND


async def test_lease_ends_and_the_old_receipt_is_stale(mq: GrpcDoor) -> None:
    """Lease expired or stale receipt FAILED_PRECONDITION; a stale receipt changes nothing. (F1)"""
    await mq.enqueue("a")
    stale = await mq.take()
    mq.clock.advance(3000)
    for verb, options in (("Ack", {}), ("Nack", {}), ("Renew", {"extend_sec": 60})):
        error = await mq.refused(verb, **mq.about(stale), **options)
        assert error.code() is StatusCode.FAILED_PRECONDITION
    current = await mq.take()
    assert (current.id, current.attempt) == (stale.id, 2)
    assert current.receipt != stale.receipt
    assert (await mq.refused("Ack", **mq.about(stale))).code() is StatusCode.FAILED_PRECONDITION
    assert await mq.settle("Ack", current) == "ack ok"


async def test_renew_extends_a_lease_while_it_is_valid(mq: GrpcDoor) -> None:
    """Renew extends a lease only while it is valid."""
    await mq.enqueue("a")
    message = await mq.take()
    mq.clock.advance(2000)
    assert await mq.settle("Renew", message, extend_sec=10) == "renewed"
    mq.clock.advance(9999)
    assert (await mq.refused("Dequeue", **asked())).code() is StatusCode.ABORTED
    mq.clock.advance(1)
    error = await mq.refused("Renew", **mq.about(message), extend_sec=10)
    assert error.code() is StatusCode.FAILED_PRECONDITION


async def test_nack_backs_off_and_dead_letters(mq: GrpcDoor) -> None:
    """Nack: next delivery after the backoff; after max-retry deliveries the message is dead-lettered."""
    first = await mq.enqueue("a")
    message = await mq.take()
    assert await mq.settle("Nack", message) == "nack ok"
    mq.clock.advance(29_999)
    assert (await mq.refused("Dequeue", **asked())).code() is StatusCode.NOT_FOUND
    mq.clock.advance(3_001)
    for _ in range(2):
        assert await mq.settle("Nack", await mq.take(), delay="0s", error="boom") == "nack ok"
    assert (await mq.call("Status", queue_name="q")).queue_status.dlq_messages == 1
    dead = await mq.take("q.dlq")
    assert (dead.id, dead.headers["x-reason"], dead.headers["x-error"]) == (first, "attempts", "boom")


# Codes


async def test_empty_queue(mq: GrpcDoor) -> None:
    """Empty NOT_FOUND."""
    error = await mq.refused("Dequeue", **asked())
    assert (error.code(), error.details()) == (StatusCode.NOT_FOUND, "queue is empty")
    assert (await mq.refused("Peek", queue_name="q", group=GROUP)).code() is StatusCode.NOT_FOUND


async def test_contended_queue(mq: GrpcDoor) -> None:
    """Contended ABORTED."""
    await mq.enqueue("a")
    await mq.take()
    error = await mq.refused("Dequeue", **asked())
    assert (error.code(), error.details()) == (StatusCode.ABORTED, "message is being processed")


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("Enqueue", {"message": "a"}),
        ("Dequeue", {"group": "g", "consumer_id": "c"}),
        ("Ack", {"group": "g", "message_id": 1, "receipt": "1.1.1"}),
        ("Nack", {"group": "g", "message_id": 1, "receipt": "1.1.1"}),
        ("Renew", {"group": "g", "message_id": 1, "receipt": "1.1.1", "extend_sec": 1}),
        ("Peek", {"group": "g"}),
        ("Status", {}),
    ],
)
async def test_unknown_queue(door: GrpcDoor, method: str, fields: dict[str, Any]) -> None:
    """Unknown queue NOT_FOUND."""
    error = await door.refused(method, queue_name="nowhere", **fields)
    assert error.code() is StatusCode.NOT_FOUND
    assert error.details() == "queue 'nowhere' does not exist"
    assert trailing(error)["x-error-code"] == "queue_not_found"


async def test_unknown_message(door: GrpcDoor) -> None:
    """404 unknown message: NOT_FOUND."""
    for receipt in ("7.1.1", "nonsense"):
        error = await door.refused("Ack", queue_name="q", group=GROUP, message_id=7, receipt=receipt)
        assert (error.code(), error.details()) == (StatusCode.NOT_FOUND, "message 7 does not exist")


async def test_receipt_of_another_message(door: GrpcDoor) -> None:
    """Stale receipt FAILED_PRECONDITION."""
    await door.enqueue("a")
    await door.enqueue("b")
    one, two = await door.take(), await door.take()
    about = door.about(one) | {"receipt": two.receipt}
    assert (await door.refused("Ack", **about)).code() is StatusCode.FAILED_PRECONDITION
    assert await door.settle("Ack", two) == "ack ok"


@pytest.mark.parametrize(
    ("method", "fields", "text"),
    [
        ("CreateQueue", {"queue_name": "a/b"}, "queue_name must be 1 to 200 letters"),
        ("CreateQueue", {}, "queue_name must be"),
        ("Enqueue", {"queue_name": "q", "message": "a", "delay": "soon"}, "delay must be a duration"),
        ("Enqueue", {"queue_name": "q", "message": "a", "priority": 9999}, "priority must be .*, got 9999"),
        ("Enqueue", {"queue_name": "q", "message": "a", "encoding": "hex"}, "encoding must be .*, got 'hex'"),
        ("Enqueue", {"queue_name": "q", "message": "!", "encoding": "base64"}, "message must be base64 text"),
        ("Enqueue", {"queue_name": "q", "message": "a" * (1024 * 1024 + 1)}, "message must have at most 1048576"),
        ("Enqueue", {"queue_name": "q", "message": "a", "delay": "1s", "deliver_at": 9}, "deliver_at must not be"),
        ("EnqueueBatch", {"queue_name": "q"}, "messages must have 1 to 1000 elements"),
        ("Dequeue", {"queue_name": "q", "consumer_id": "c"}, "group must be"),
        ("Dequeue", {"queue_name": "q", "group": "g"}, "consumer_id must be"),
        ("Dequeue", {"queue_name": "q", "group": "g", "consumer_id": "c", "wait": "2h"}, "wait must be"),
        ("Ack", {"queue_name": "q", "message_id": 1, "receipt": "1.1.1"}, "group must be"),
        ("Ack", {"queue_name": "q", "group": "g", "receipt": "1.1.1"}, "message_id must be"),
        ("Renew", {"queue_name": "q", "group": "g", "message_id": 1, "receipt": "1.1.1"}, "extend_sec must be"),
        ("Peek", {"queue_name": "q"}, "group must be"),
    ],
)
async def test_bad_argument(door: GrpcDoor, method: str, fields: dict[str, Any], text: str) -> None:
    """Bad argument INVALID_ARGUMENT, with the field and the value."""
    error = await door.refused(method, **fields)
    assert error.code() is StatusCode.INVALID_ARGUMENT
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(error.details())
    assert (await door.call("Status", queue_name="q")).queue_status.total_messages == 0


# What crossdock adds


async def test_options_of_a_message(mq: GrpcDoor) -> None:
    """As over HTTP: delay, deduplication_id, priority, ttl, ordering_key, headers, bytes as base64."""
    first = await mq.enqueue("late", delay="10s")
    options = {"deduplication_id": "d", "ordering_key": "k", "headers": {"a": "b"}, "ttl": "1h"}
    second = await mq.enqueue("/w==", encoding="base64", priority=-1, **options)
    error = await mq.refused("Enqueue", queue_name="q", message="/w==", encoding="base64", deduplication_id="d")
    assert error.code() is StatusCode.ALREADY_EXISTS
    assert str(second) in str(error.details())
    conflict = await mq.refused("Enqueue", queue_name="q", message="other", deduplication_id="d")
    assert (conflict.code(), trailing(conflict)["x-error-code"]) == (StatusCode.ALREADY_EXISTS, "dedup_conflict")
    message = await mq.take(lease="1m")
    assert (message.id, message.payload, message.encoding, message.priority) == (second, "/w==", "base64", -1)
    assert (message.deduplication_id, message.ordering_key, dict(message.headers)) == ("d", "k", {"a": "b"})
    assert message.expires_at - message.enqueued_at == 3_600_000
    assert message.lease_until - message.enqueued_at == 60_000
    assert (await mq.refused("Dequeue", **asked())).code() is StatusCode.ABORTED
    mq.clock.advance(10_000)
    assert (await mq.take()).id == first


async def test_batch_is_stored_whole_or_not_at_all(mq: GrpcDoor) -> None:
    """Batch send."""
    response = await mq.call("EnqueueBatch", queue_name="q", messages=["a", "b", "c"])
    assert (response.status, response.success_count, len(response.ids)) == ("enqueued", 3, 3)
    error = await mq.refused("EnqueueBatch", queue_name="q", messages=["d", "e" * (1024 * 1024 + 1)])
    assert error.code() is StatusCode.INVALID_ARGUMENT
    assert (await mq.call("Status", queue_name="q")).queue_status.total_messages == 3


async def test_deadline_ends_the_wait_and_takes_no_message_along(mq: GrpcDoor) -> None:
    """Deadlines are honoured: one shorter than the wait ends it, and what is sent then goes to others. (F10)"""
    error = await mq.refused("Dequeue", **asked(), wait="1h", timeout=0.2)
    assert error.code() is StatusCode.DEADLINE_EXCEEDED
    while mq.broker.room.members:
        await mq.call("HealthCheck")
    await mq.enqueue("a")
    assert (await mq.take()).attempt == 1


async def test_cancelled_wait_takes_no_message_along(mq: GrpcDoor) -> None:
    """A client that cancels, or goes away, ends its wait. (F10)"""
    call = mq.client.unary(mq.channel, f"{QUEUE_SERVICE}/Dequeue", {**asked(), "wait": "1h"})
    await mq.until_waiting()
    call.cancel()
    while mq.broker.room.members:
        await mq.call("HealthCheck")
    await mq.enqueue("a")
    assert (await mq.take()).attempt == 1


async def test_wait_ends_with_a_message(mq: GrpcDoor) -> None:
    """As over HTTP: wait."""
    call = mq.client.unary(mq.channel, f"{QUEUE_SERVICE}/Dequeue", {**asked(), "wait": "1h"}, timeout=20)
    await mq.until_waiting()
    await mq.enqueue("a")
    assert (await call).message.payload == "a"


# Interceptors


async def test_exception_becomes_internal_never_its_text(
    door: GrpcDoor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Recovery (an exception becomes INTERNAL, never its text); error logging has it, with its trace."""

    def broken(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(door.broker.store, "send", broken)
    error = await door.refused("Enqueue", queue_name="q", message="a")
    assert (error.code(), error.details()) == (StatusCode.INTERNAL, "internal error")
    assert "secret" not in str(error.debug_error_string())
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert trailing(error)["x-request-id"] in record.getMessage()
    assert record.exc_info is not None
    assert "secret of the house" in str(record.exc_info[1])


async def test_failed_store_is_unavailable(
    door: GrpcDoor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that cannot answer: UNAVAILABLE, so that clients try again; why, the log says. (F15)"""

    def failed(*_: object) -> None:
        raise StoreFailed("I/O error of the disk")

    monkeypatch.setattr(door.broker.store, "send", failed)
    error = await door.refused("Enqueue", queue_name="q", message="a")
    assert (error.code(), error.details()) == (StatusCode.UNAVAILABLE, "the store cannot answer now")
    assert trailing(error)["x-error-code"] == "store_failed"
    assert "I/O error of the disk" in caplog.text


async def test_calls_are_logged(door: GrpcDoor, caplog: pytest.LogCaptureFixture) -> None:
    """Logging (method, code, latency)."""
    caplog.set_level(logging.DEBUG, "crossdock.grpc")
    await door.client.unary(
        door.channel, f"{QUEUE_SERVICE}/Enqueue", {"queue_name": "q"}, metadata=(("x-request-id", "mine"),)
    )
    await door.refused("Dequeue", **asked("nowhere"))
    told = [(each.getMessage(), getattr(each, "ms", None)) for each in caplog.records if hasattr(each, "ms")]
    assert [text for text, _ in told] == [
        f"/{QUEUE_SERVICE}/Enqueue OK",
        f"/{QUEUE_SERVICE}/Dequeue NOT_FOUND",
    ]
    assert all(ms is not None and ms >= 0 for _, ms in told)
    assert next(getattr(each, "request_id", "") for each in caplog.records) == "mine"


async def test_interceptors_are_in_order(door: GrpcDoor) -> None:
    """Interceptors, outermost first: recovery, logging, error logging, auth."""
    names = [type(each).__name__ for each in door.listener._interceptors()]
    assert names == ["Recovery", "Logging", "ErrorLogging", "Auth"]


PROTECTED: dict[str, dict[str, Any]] = {
    "CreateQueue": {"queue_name": "r"},
    "DeleteQueue": {"queue_name": "q"},
    "Enqueue": {"queue_name": "q", "message": "a"},
    "Dequeue": asked(),
    "Ack": {"queue_name": "q", "group": GROUP, "message_id": 1, "receipt": "1.1.1"},
    "Nack": {"queue_name": "q", "group": GROUP, "message_id": 1, "receipt": "1.1.1"},
    "Renew": {"queue_name": "q", "group": GROUP, "message_id": 1, "receipt": "1.1.1", "extend_sec": 1},
}


@pytest.mark.parametrize("method", PROTECTED)
@pytest.mark.parametrize("key", ["", "hunter3", KEY + "x"])
async def test_protected_methods_ask_for_the_key(locked: GrpcDoor, method: str, key: str) -> None:
    """auth (metadata x-api-key; UNAUTHENTICATED). Protected: CreateQueue, DeleteQueue, Enqueue, ..., Renew."""
    error = await locked.refused(method, key=key, **PROTECTED[method])
    assert error.code() is StatusCode.UNAUTHENTICATED
    assert KEY not in str(error.details())
    ended = await asyncio.gather(locked.call(method, **PROTECTED[method]), return_exceptions=True)
    assert not (isinstance(ended[0], aio.AioRpcError) and ended[0].code() is StatusCode.UNAUTHENTICATED)


async def test_public_methods_do_not(locked: GrpcDoor) -> None:
    """Public: Peek, Status, HealthCheck."""
    await locked.enqueue("a")
    assert (await locked.call("Peek", key="", queue_name="q", group=GROUP)).message.payload == "a"
    assert (await locked.call("Status", key="", queue_name="q")).queue_status.total_messages == 1
    assert (await locked.call("HealthCheck", key="")).status == "ok"
    assert (await locked.call("Check", "grpc.health.v1.Health", key="")).status == 1


async def test_what_crossdock_adds_is_protected(locked: GrpcDoor) -> None:
    """A door whose key is configured refuses what lacks it."""
    public = {f"{QUEUE_SERVICE}/{name}" for name in ("Peek", "Status", "HealthCheck")}
    for path, method in locked.client.methods.items():
        if path not in public and not path.startswith("grpc.") and not method.client_streaming:
            with pytest.raises(aio.AioRpcError) as refused:
                await locked.client.unary(locked.channel, path, {})
            assert refused.value.code() is StatusCode.UNAUTHENTICATED, path
        if method.client_streaming:
            stream = locked.client.stream(locked.channel, path)
            await stream.call.done_writing()
            assert await stream.ended() is StatusCode.UNAUTHENTICATED, path

"""The WebSocket door: what each path does, over a store that answers at once and one that does not."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Address, Message, Settings
from crossdock.doors.websocket import WsListener
from crossdock.doors.websocket.consume import HELD_MAX
from crossdock.storage.base import Store
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from desk import Q
from ws_door import DoorInTest, ask, frame, pushed, take, told

CERT, KEY = (Path(__file__).parent.parent / "server" / name for name in ("cert.pem", "key.pem"))


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "q.db")


@pytest.fixture
async def door(store: Store) -> AsyncIterator[DoorInTest]:
    async with DoorInTest(store) as door:
        yield door


async def closed(client: ClientConnection) -> tuple[int, str]:
    """Code and reason of the close that comes next."""
    with pytest.raises(ConnectionClosed) as end:
        await client.recv()
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


# Publish


async def test_messages_are_stored_in_order_and_each_is_answered(door: DoorInTest) -> None:
    client = await door.connect("/ws/publish?queue=q")
    for number in range(500):
        await client.send(str(number))
    assert {await client.recv() for _ in range(500)} == {"ok"}
    found = await door.broker.receive(Q, limit=1000)
    assert [each.message.body for each in found] == [b"%d" % number for number in range(500)]


async def test_of_messages_that_come_together_each_gets_its_own_answer(door: DoorInTest) -> None:
    await door.broker.update_queue(Q, Settings(max_messages=2))
    client = await door.raw()
    client.write(frame(b"a") + frame(b"b", 1) + frame(b"c") + frame(b"d"))
    answers = [(await client.frame())[1] for _ in range(4)]
    assert answers[:2] == [b"ok", b"ok"]
    assert all(answer.startswith(b"error: ") and b"2 messages" in answer for answer in answers[2:])
    await client.close()
    assert (await door.stats()).totals.sent == 2


async def test_what_cannot_be_stored_is_told_and_the_connection_goes_on(door: DoorInTest) -> None:
    client = await door.connect("/ws/publish?queue=missing")
    assert await ask(client, b"a") == "error: queue 'missing' does not exist"
    await door.broker.create_queue(("default", "missing"))
    assert await ask(client, b"a") == "ok"


async def test_what_was_sent_before_the_client_left_is_stored(door: DoorInTest) -> None:
    client = await door.raw()
    client.write(b"".join(frame(b"%d" % number) for number in range(3000)) + frame(b"", 8))
    await client.close()
    while (await door.stats()).stored < 3000:
        await asyncio.sleep(0.001)
    await door.until_left()
    assert (await door.stats()).stored == 3000


# Consume


async def test_a_message_is_gone_when_it_is_handed_out(door: DoorInTest) -> None:
    await door.send("a", "b")
    client = await door.connect("/ws/consume?queue=q")
    assert [await ask(client, text) for text in ("next", "", "{}")] == [b"a", b"b", "error: queue 'q' is empty"]
    assert ((await door.stats()).stored, (await door.stats()).leased) == (0, 0)


async def test_groups_get_every_message(door: DoorInTest) -> None:
    await door.broker.create_group(Q, "billing")
    await door.broker.create_group(Q, "mail")
    await door.send("a")
    for group in ("billing", "mail"):
        assert await ask(await door.connect(f"/ws/consume?queue=q&group={group}"), "next") == b"a"


async def test_messages_are_leased_and_answered(door: DoorInTest) -> None:
    await door.send("done", "again", "never")
    client = await door.connect("/ws/consume?queue=q&ack=1&lease=1m&consumer=me")
    done, again, never = [await take(client) for _ in range(3)]
    assert (done["payload"], done["encoding"], done["attempt"]) == ("ZG9uZQ==", "base64", 1)
    assert done["lease_until"] == door.clock.now() + 60_000
    found = await door.broker.browse(Q)
    assert {each.consumer for each in found} == {"me"}
    lease = {"do": "extend", "receipts": [again["receipt"]], "lease": "2m"}
    assert await ask(client, lease) == {"done": "extend", "failed": []}
    assert await ask(client, {"do": "ack", "receipts": [done["receipt"]]}) == {"done": "ack", "failed": []}
    assert await ask(client, {"do": "ack", "receipts": [done["receipt"]]}) == {
        "done": "ack",
        "failed": [
            {
                "index": 0,
                "message_id": done["id"],
                "error": f"message {done['id']} does not exist",
                "code": "message_not_found",
            }
        ],
    }
    why = {"do": "reject", "receipts": [never["receipt"]], "error": "no"}
    assert await ask(client, why) == {"done": "reject", "failed": []}
    later = {"do": "nack", "receipts": [again["receipt"]], "delay": "5s"}
    assert await ask(client, later) == {"done": "nack", "failed": []}
    assert await ask(client, "next") == "error: queue 'q' is empty"
    door.clock.advance(5_000)
    assert (await take(client))["attempt"] == 2
    (letter,) = await door.broker.receive(("default", "q.dlq"))
    assert letter.message.headers is not None
    assert letter.message.headers["x-error"] == "no"


async def test_the_end_of_a_connection_returns_its_leases_at_once(door: DoorInTest) -> None:
    await door.send(*"abc")
    client = await door.connect("/ws/consume?queue=q&ack=1&lease=1h")
    first = await take(client)
    await take(client)
    await ask(client, {"do": "ack", "receipts": [first["receipt"]]})
    await client.close()
    assert (await door.stats()).leased == 0, "before the client sees its close answered"
    (again,) = await door.broker.receive(Q)
    assert (again.message.body, again.attempt) == (b"b", 2)


async def test_a_connection_that_breaks_returns_its_leases_too(door: DoorInTest) -> None:
    await door.send("a")
    client = await door.raw("/ws/consume?queue=q&ack=1&lease=1h")
    client.write(frame(b"next"))
    await client.frame()
    client.writer.transport.abort()
    await door.until_left()
    assert ((await door.stats()).ready, (await door.stats()).leased) == (1, 0)


async def test_a_lease_that_ended_is_not_held_by_its_connection(door: DoorInTest) -> None:
    await door.send("a")
    client = await door.connect("/ws/consume?queue=q&ack=1&lease=1s")
    stale = (await take(client))["receipt"]
    door.clock.advance(1_000)
    assert (await take(client))["attempt"] == 2
    answer = await ask(client, {"do": "extend", "receipts": [stale], "lease": 1})
    assert answer["failed"][0]["code"] == "lease_lost"
    await client.close()
    (again,) = await door.broker.receive(Q)
    assert again.attempt == 3


async def test_unanswered_messages_of_a_connection_are_bounded() -> None:
    async with DoorInTest(MemoryStore()) as door:
        await door.broker.send(Q, [Message(b"") for _ in range(HELD_MAX)])
        await door.send("last")
        client = await door.connect("/ws/consume?queue=q&ack=1&lease=1m")
        for _ in range(HELD_MAX):
            await client.send("next")
        first = told(await client.recv())["message"]
        for _ in range(HELD_MAX - 1):
            await client.recv()
        refused = f"error: {HELD_MAX} messages are unanswered on this connection, answer some first"
        assert await ask(client, "next") == refused
        await ask(client, {"do": "ack", "receipts": [first["receipt"]]})
        assert (await take(client))["payload"] == "bGFzdA=="
        assert await ask(client, "next") == refused
        door.clock.advance(60_000)
        assert (await take(client))["attempt"] == 2


# Subscribe


async def test_messages_are_pushed_within_the_credit_that_answers_return(door: DoorInTest) -> None:
    await door.send(*"abcd")
    client = await door.connect("/ws/subscribe?queue=q&credit=2")
    first, second = await pushed(client), await pushed(client)
    assert [(each["payload"], each["attempt"]) for each in (first, second)] == [("YQ==", 1), ("Yg==", 1)]
    assert (await door.stats()).leased == 2
    await client.send(json.dumps({"do": "ack", "receipts": [first["receipt"]]}))
    answers = [told(await client.recv()) for _ in range(2)]
    assert {"done": "ack", "failed": []} in answers
    assert [each["message"]["payload"] for each in answers if "message" in each] == ["Yw=="]


async def test_an_answer_by_another_way_returns_credit_too(door: DoorInTest) -> None:
    await door.send("a", "b")
    client = await door.connect("/ws/subscribe?queue=q&credit=1")
    first = await pushed(client)
    api = await door.connect("/ws/api")
    body = {"group": "default", "message_id": first["id"], "receipt": first["receipt"]}
    answer = await ask(api, {"id": 1, "path": "/api/v1/q/ack", "body": body})
    assert (answer["status"], answer["body"]) == (200, {"status": "ack ok"})
    assert (await pushed(client))["payload"] == "Yg=="


async def test_credit_may_change(door: DoorInTest) -> None:
    await door.send(*"abcd")
    client = await door.connect("/ws/subscribe?queue=q&credit=0")
    assert await ask(client, {"do": "nack", "receipts": ["1.1.1"]}) == {
        "done": "nack",
        "failed": [{"index": 0, "message_id": 1, "error": "message 1 does not exist", "code": "message_not_found"}],
    }
    await client.send('{"do":"credit","credit":3}')
    answers = [told(await client.recv()) for _ in range(4)]
    held = [each["message"]["receipt"] for each in answers if "message" in each]
    assert len(held) == 3
    assert await ask(client, {"do": "credit", "credit": 0}) == {"done": "credit", "failed": []}
    assert await ask(client, {"do": "ack", "receipts": held}) == {"done": "ack", "failed": []}
    assert ((await door.stats()).ready, (await door.stats()).leased) == (1, 0)


async def test_messages_go_round_among_subscribers(door: DoorInTest) -> None:
    clients = [await door.connect(f"/ws/subscribe?queue=q&credit=1&consumer=c{number}") for number in range(3)]
    while (
        len(door.broker.members.rotations) < 1 or len(next(iter(door.broker.members.rotations.values())).members()) < 3
    ):
        await asyncio.sleep(0)
    await door.send(*"abc")
    got = {(await pushed(client))["payload"] for client in clients}
    assert got == {"YQ==", "Yg==", "Yw=="}


async def test_a_subscriber_that_leaves_gives_back_what_it_did_not_answer(door: DoorInTest) -> None:
    await door.send(*"abc")
    client = await door.connect("/ws/subscribe?queue=q&credit=2&lease=1h")
    first = await pushed(client)
    await pushed(client)
    await client.send(json.dumps({"do": "ack", "receipts": [first["receipt"]]}))
    await client.close()
    stats = await door.stats()
    assert (stats.ready, stats.leased) == (2, 0)


async def test_a_subscription_ends_with_its_queue_and_says_so(door: DoorInTest) -> None:
    client = await door.connect("/ws/subscribe?queue=q")
    while not door.broker.room.members:
        await asyncio.sleep(0)
    await door.broker.delete_queue(Q)
    assert await client.recv() == "error: queue 'q' does not exist"
    assert await closed(client) == (1008, "queue_not_found")


# The JSON API


async def test_requests_of_the_api_are_answered_as_they_are_done(door: DoorInTest) -> None:
    client = await door.connect("/ws/api")
    wait = {"group": "g", "consumer_id": "c", "wait": "1m"}
    await client.send(json.dumps({"id": 1, "path": "/api/v1/q/dequeue", "body": wait}))
    answer = await ask(client, {"id": 2, "method": "GET", "path": "/api/v1/queues"})
    assert (answer["id"], answer["status"], answer["body"]) == (2, 200, {"status": "ok", "queues": ["default", "q"]})
    await client.send(json.dumps({"id": 3, "path": "/api/v1/q/enqueue", "body": {"message": "hello"}}))
    answers = {each["id"]: each for each in [told(await client.recv()) for _ in range(2)]}
    assert answers[3]["status"] == 202
    assert answers[1]["body"]["message"]["payload"] == "hello"
    created = await ask(client, {"id": 4, "path": "/api/v1/new/create"})
    assert (created["status"], created["headers"]["x-created"]) == (201, "true")
    letters = await ask(client, {"id": 5, "method": "GET", "path": "/api/v1/q/dlq?limit=none"})
    assert (letters["status"], letters["body"]["error"]) == (400, "limit must be a whole number, got text")
    assert (await ask(client, {"id": 6, "path": "/api/v1/none/purge"}))["body"]["code"] == "queue_not_found"


async def test_a_request_that_is_cancelled_or_left_gives_back_what_it_would_have_got(door: DoorInTest) -> None:
    """F10"""
    client = await door.connect("/ws/api")
    wait = {"id": 7, "path": "/api/v1/q/dequeue", "body": {"group": "g", "consumer_id": "c", "wait": "1m"}}
    for leave in ("cancel", "close"):
        await client.send(json.dumps(wait))
        while not door.broker.room.members:
            await asyncio.sleep(0.001)
        if leave == "cancel":
            await client.send('{"id": 7, "cancel": true}')
        else:
            await client.close()
        while door.broker.room.members:
            await asyncio.sleep(0.001)
    await door.send("a")
    assert (await door.stats()).leased == 0


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("{", "error: body must be valid JSON"),
        ({"path": "/api/v1/queues"}, "error: id is required"),
        ({"id": -1}, "error: id must be a whole number from 0 to 9223372036854775807, got -1"),
        ({"id": 1, "path": "/metrics"}, "error: path must begin with /api/v1/, got '/metrics'"),
        ({"id": 1, "verb": "x"}, "error: verb is not a field of this request"),
    ],
)
async def test_what_is_no_request_is_told(door: DoorInTest, request_: str, error: str) -> None:
    assert await ask(await door.connect("/ws/api"), request_) == error


async def test_two_requests_under_way_need_two_ids(door: DoorInTest) -> None:
    client = await door.connect("/ws/api")
    wait = {"id": 7, "path": "/api/v1/q/dequeue", "body": {"group": "g", "consumer_id": "c", "wait": "1m"}}
    await client.send(json.dumps(wait))
    assert await ask(client, wait) == "error: id must not be that of a request under way, got 7"


# The door


async def test_the_key_comes_in_a_header_and_never_in_the_url() -> None:
    """S10"""
    async with DoorInTest(MemoryStore(), api_key="s3cret") as door:
        for path in ("/ws/publish", "/ws/consume", "/ws/subscribe", "/ws/api", "/ws/publish?api_key=s3cret"):
            for headers in ({}, {"X-API-Key": "wrong"}, {"Cookie": "api_key=s3cret"}):
                with pytest.raises(InvalidStatus) as refused:
                    await door.connect(path, additional_headers=headers)
                assert refused.value.response.status_code == 401
                assert refused.value.response.headers["WWW-Authenticate"] == "ApiKey"
        client = await door.connect("/ws/publish", additional_headers={"X-API-Key": "s3cret"})
        assert await ask(client, "a") == "ok"
        api = await door.connect("/ws/api", additional_headers={"X-API-Key": "s3cret"})
        assert (await ask(api, {"id": 1, "method": "GET", "path": "/api/v1/queues"}))["status"] == 200
        assert door.door.refused == {401: 15}


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://app.example.evil", "http://app.example", "https://app.example:8443"],
)
async def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    """S10"""
    async with DoorInTest(MemoryStore(), origins=("https://app.example",)) as door:
        for path in ("/ws/publish", "/ws/consume", "/ws/subscribe", "/ws/api", "/elsewhere"):
            with pytest.raises(InvalidStatus) as refused:
                await door.connect(path, origin=origin)
            assert refused.value.response.status_code == 403
            assert refused.value.response.body == b"error: Origin must be one that this server allows\n"
        assert await ask(await door.connect("/ws/publish", origin="https://app.example"), "a") == "ok"
        assert await ask(await door.connect("/ws/publish"), "a") == "ok"


async def test_compression_is_not_negotiated(door: DoorInTest) -> None:
    client = await door.connect("/ws/publish", compression="deflate")
    assert client.protocol.extensions == []


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 404, "path must be one of /ws/publish, /ws/consume, /ws/subscribe, /ws/api"),
        ("/ws/publish/", 404, "path must be one of"),
        ("/ws/publish?queue=a/b", 400, "queue must be 1 to 200 letters, digits or _ . : - and not begin with a sign"),
        ("/ws/publish?queue=", 400, "queue must be 1 to 200 letters"),
        ("/ws/publish?group=g", 400, "group is not a field of this request"),
        ("/ws/consume?ack=maybe", 400, "ack must be true or false, got text"),
        ("/ws/consume?lease=5", 400, "lease must be a duration"),
        ("/ws/consume?lease=13h", 400, "lease must be a whole number from 1 to 43200000 ms, got 46800000"),
        ("/ws/subscribe?credit=-1", 400, "credit must be >= 0"),
        ("/ws/subscribe?credit=many", 400, "credit must be a whole number, got text"),
        ("/ws/subscribe?group=", 400, "group must be 1 to 200 letters"),
        ("/ws/api?queue=q", 400, "queue is not a field of this request"),
    ],
)
async def test_a_handshake_that_makes_no_sense_is_refused_in_a_sentence(
    door: DoorInTest, path: str, status: int, text: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await door.connect(path)
    assert refused.value.response.status_code == status
    assert (refused.value.response.body or b"").decode().startswith(f"error: {text}")


async def test_stopping_answers_what_is_under_way_and_closes(door: DoorInTest) -> None:
    publisher = await door.connect("/ws/publish?queue=q")
    subscriber = await door.connect("/ws/subscribe?queue=q&lease=1h")
    api = await door.connect("/ws/api")
    wait = {"id": 1, "path": "/api/v1/default/dequeue", "body": {"group": "g", "consumer_id": "c", "wait": "1m"}}
    await api.send(json.dumps(wait))
    assert await ask(publisher, "a") == "ok"
    await pushed(subscriber)
    while door.broker.room.members < 2:
        await asyncio.sleep(0.001)
    door.broker.room.close()
    await door.listener.stop()
    assert told(await api.recv())["status"] == 204
    for client in (publisher, subscriber, api):
        assert await closed(client) == (1001, "the server is stopping")
    assert ((await door.stats()).ready, (await door.stats()).leased) == (1, 0)
    await door.listener.stop()


async def test_stopping_cuts_off_who_does_not_answer_the_close() -> None:
    async with DoorInTest(MemoryStore()) as door:
        await door.send("a")
        client = await door.raw("/ws/consume?queue=q&ack=1")
        client.write(frame(b"next"))
        await client.frame()
        await door.listener.stop(0.05)
        assert door.connections == set()
        assert (await door.stats()).leased == 0
        await client.close()


async def test_with_a_certificate_it_speaks_tls() -> None:
    async with DoorInTest(MemoryStore()) as door:
        secure = WsListener(door.door, "127.0.0.1", 0, CERT, KEY)
        await secure.start()
        assert secure.url.startswith("wss://127.0.0.1:")
        trust = ssl.create_default_context(cafile=CERT)
        async with connect(f"{secure.url}/ws/publish?queue=q", proxy=None, ssl=trust) as client:
            assert await ask(client, "a") == "ok"
        with pytest.raises((InvalidMessage, OSError)):
            await connect(secure.url.replace("wss", "ws") + "/ws/publish", proxy=None)
        await secure.stop()


async def test_a_handshake_while_the_server_stops_is_refused() -> None:
    async with DoorInTest(MemoryStore()) as door:
        door.broker.room.close()
        with pytest.raises(InvalidStatus) as refused:
            await door.connect("/ws/publish")
        assert refused.value.response.status_code == 503


class FaultyStore(MemoryStore):
    """A memory store with a fault in it."""

    fault: Exception = ValueError("secret detail")

    def send(self, address: Address, messages: object, now: int) -> object:  # type: ignore[override]
        raise self.fault


@pytest.mark.parametrize(
    ("fault", "told_"),
    [(ValueError("secret detail"), "internal error"), (StoreUnavailable("disk"), "the store cannot")],
)
async def test_a_fault_is_logged_and_told_by_its_id_only(
    caplog: pytest.LogCaptureFixture, fault: Exception, told_: str
) -> None:
    store = FaultyStore()
    store.fault = fault
    async with DoorInTest(store) as door:
        client = await door.connect("/ws/publish?queue=q")
        answer = await ask(client, "a")
        assert answer.startswith(f"error: {told_}")
        request_id = answer.partition("(request ")[2].rstrip(")")
        (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert request_id
        assert request_id in record.message
        assert "secret" not in answer
        assert sum(door.door.counters["/ws/publish"].errors.values()) == 1


async def test_what_the_door_did_is_counted(door: DoorInTest) -> None:
    publisher = await door.connect("/ws/publish?queue=q")
    await ask(publisher, "a")
    await ask(await door.connect("/ws/publish?queue=none"), "a")
    await pushed(await door.connect("/ws/subscribe?queue=q"))
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in door.door.metrics()
        for sample in family.samples
        if sample.value and "le" not in sample.labels and not sample.name.endswith("_sum")
    }
    assert found == {
        ("crossdock_ws_connections", "/ws/publish"): 2,
        ("crossdock_ws_connections", "/ws/subscribe"): 1,
        ("crossdock_ws_opened_total", "/ws/publish"): 2,
        ("crossdock_ws_opened_total", "/ws/subscribe"): 1,
        ("crossdock_ws_errors_total", "/ws/publish", "queue_not_found"): 1,
        ("crossdock_ws_pushed_total", "/ws/subscribe"): 1,
        ("crossdock_ws_answer_seconds_count", "/ws/publish"): 2,
    }

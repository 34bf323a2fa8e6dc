"""The HTTP door beside its contract: bodies, long polls, stopping, faults, mounting, documentation."""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Router

from crossdock.broker.broker import Broker
from crossdock.broker.runtime import AsyncRuntime
from crossdock.core.errors import StoreUnavailable
from crossdock.core.limits import BODY_BYTES_MAX
from crossdock.core.model import Address
from crossdock.doors.http import HttpListener, create_app
from crossdock.doors.http.connection import ARRIVE_S, READ_S, JoiningTransport
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from desk import Q, SuspendingStore
from http_door import GROUP, HttpDoor

CERT, KEY = (Path(__file__).parent.parent / "server" / name for name in ("cert.pem", "key.pem"))


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(MemoryStore()) as door:
        await door.create()
        yield door


# Bodies


@pytest.mark.parametrize(
    ("body", "payload", "encoding"),
    [
        (b'{"a": 1}', {"a": 1}, None),
        (b"42", 42, None),
        (b'"text"', "text", None),
        (b"text", "dGV4dA==", "base64"),
        (b"", "", "base64"),
        (b" 1", "IDE=", "base64"),
        (b"\xff\x00", "/wA=", "base64"),
        (b'"\xff"', "Iv8i", "base64"),
        (b"NaN", "TmFO", "base64"),
    ],
)
async def test_body_of_the_python_api_comes_out_as_json_or_base64(
    door: HttpDoor, body: bytes, payload: object, encoding: str | None
) -> None:
    await door.send(body)
    message = await door.take()
    assert (message["payload"], message.get("encoding")) == (payload, encoding)


async def test_bytes_go_in_as_base64_and_json_stays_as_it_was_written(door: HttpDoor) -> None:
    await door.enqueue("/wA=", encoding="base64")
    await door.client.post("/api/v1/q/enqueue", content=b'{"message": {"n":  1.50} }')
    bodies = [each.message.body for each in await door.broker.peek(("default", "q"), GROUP, 10)]
    assert bodies == [b"\xff\x00", b'{"n":  1.50}']


async def test_largest_body_fits_in_base64(door: HttpDoor) -> None:
    await door.send(b"\xff" * BODY_BYTES_MAX)
    message = await door.take()
    assert (await door.post("q/enqueue", {"message": message["payload"], "encoding": "base64"})).status_code == 202


# Long polls


async def test_wait_ends_empty_at_its_time(door: HttpDoor) -> None:
    waiting = asyncio.create_task(door.dequeue(wait="20s"))
    await door.until_waiting()
    door.clock.advance(20_000)
    assert (await waiting).status_code == 204


async def test_waiting_dequeue_gives_way_when_its_client_goes(door: HttpDoor) -> None:
    """F10: the message goes to who is still there."""
    gone = asyncio.create_task(door.dequeue(wait="20s"))
    await door.until_waiting()
    stays = asyncio.create_task(door.dequeue(wait="20s"))
    await door.until_waiting(2)
    gone.cancel()
    while door.broker.room.members > 1:
        await asyncio.sleep(0)
    await door.enqueue("a")
    message = (await stays).json()["message"]
    assert (message["payload"], message["attempt"]) == ("a", 1)


async def ask(door: HttpDoor, path: str, body: bytes) -> asyncio.StreamWriter:
    """Send a request; the answer is nobody's to read."""
    _, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    head = b"POST /api/v1/%b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (path.encode(), len(body))
    writer.write(head + body)
    return writer


async def test_dequeue_whose_client_goes_before_the_answer_gives_back() -> None:
    """F10: also without a wait, while the store writes the lease."""
    store = SuspendingStore()
    async with HttpDoor(store) as door:
        await door.create()
        await door.enqueue("a")
        writer = await ask(door, "q/dequeue", b'{"group":"%b","consumer_id":"c"}' % GROUP.encode())
        await store.leased.wait()
        connections = door.listener._state.connections
        before = len(connections)
        writer.close()
        while len(connections) == before:
            await asyncio.sleep(0)
        assert (await door.broker.stats(Q)).leased == 1
        store.answer.set()
        assert (await door.take())["attempt"] == 2


async def test_at_most_once_is_not_given_back() -> None:
    store = SuspendingStore()
    async with HttpDoor(store) as door:
        await door.create()
        await door.enqueue("a")
        writer = await ask(door, "q/dequeue", b'{"group":"%b","consumer_id":"c","auto_ack":true}' % GROUP.encode())
        await store.leased.wait()
        writer.close()
        store.answer.set()
        assert (await door.dequeue()).status_code == 204


async def test_pipelined_request_waits_for_a_long_poll_without_being_late(door: HttpDoor) -> None:
    request = b'{"group":"%b","consumer_id":"c","wait":"1h"}' % GROUP.encode()
    writer = await ask(door, "q/dequeue", request)
    await door.until_waiting()
    (connection,) = [each for each in door.listener._state.connections if not each.cycle.response_complete]
    writer.write(b"POST /api/v1/q/enqueue HTTP/1.1\r\nhost: x\r\ncontent-length: 15\r\n\r\n")
    while not connection.flow.read_paused:
        await asyncio.sleep(0)
    connection.check_pace(asyncio.get_running_loop().time() + ARRIVE_S + 1)
    assert not connection.transport.is_closing()
    connection.transport.abort()
    while door.broker.room.members:
        await asyncio.sleep(0)
    writer.close()
    assert (await door.enqueue("a")) == 1
    assert (await door.take())["attempt"] == 1, "the poll of the lost connection took nothing"


# Stopping


async def test_stop_ends_long_polls_and_answers_them(door: HttpDoor) -> None:
    waiting = asyncio.create_task(door.dequeue(wait="1h"))
    await door.until_waiting()
    door.broker.end_waits()
    await door.listener.stop(10)
    assert (await waiting).status_code == 204
    with pytest.raises(httpx.ConnectError):
        await door.get("q/status")
    await door.listener.stop(10)


async def test_stop_cuts_what_does_not_end_in_time(door: HttpDoor) -> None:
    waiting = asyncio.create_task(door.dequeue(wait="1h"))
    await door.until_waiting()
    await door.listener.stop(0)
    with pytest.raises(httpx.TransportError):
        await waiting
    assert door.broker.room.members == 0


async def test_health_and_requests_while_closing(door: HttpDoor) -> None:
    await door.enqueue("a")
    message = await door.take()
    door.broker.end_waits()
    health = await door.client.get("/health")
    assert (health.status_code, health.json()) == (503, {"status": "closing"})
    refused = await door.post("q/enqueue", {"message": 1})
    assert (refused.status_code, refused.json()["code"]) == (503, "queue_closed")
    assert refused.headers["retry-after"] == "1"
    assert (await door.settle("ack", message)).status_code == 200


# Faults


class FailingStore(MemoryStore):
    """A store whose sends fail in a given way."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def send(self, address: Address, messages: Any, now: int) -> Any:
        raise self._error


async def test_fault_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async with HttpDoor(FailingStore(ZeroDivisionError("secret detail"))) as door:
        await door.create()
        response = await door.post("q/enqueue", {"message": 1}, headers={"x-request-id": "r-1"})
        assert (response.status_code, response.json()) == (500, {"error": "internal error", "request_id": "r-1"})
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "request r-1 failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "secret detail"


async def test_unavailable_store_is_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    async with HttpDoor(FailingStore(StoreUnavailable("/var/secret.db: disk full"))) as door:
        await door.create()
        response = await door.post("q/enqueue", {"message": 1}, headers={"x-request-id": "r-1"})
        expected = {"error": "the store cannot answer now", "code": "store_unavailable", "request_id": "r-1"}
        assert (response.status_code, response.json()) == (503, expected)
    assert "/var/secret.db: disk full" in caplog.text


async def test_api_key_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """S13."""
    caplog.set_level(logging.DEBUG)
    canary = "canary-7f3a"
    async with HttpDoor(MemoryStore(), api_key=canary) as door:
        for key in (canary, canary + "x"):
            await door.post("q/create", headers={"x-api-key": key})
            await door.post("q/enqueue", {"message": 1, "bad": 1}, headers={"x-api-key": key})
        pages = [(await door.client.get(path)).text for path in ("/metrics", "/openapi.json", "/docs")]
    assert canary not in caplog.text + "".join(pages)


# Slow clients (S6)


async def connect(door: HttpDoor, start: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write(start)
    while not door.listener._state.connections or (start and not began(door)):
        await asyncio.sleep(0)
    return reader, writer


def began(door: HttpDoor) -> bool:
    return any(connection._in_message for connection in door.listener._state.connections)


@pytest.mark.parametrize(
    "start", [b"", b"POST /api/v1/q/enq", b"POST /api/v1/q/create HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"]
)
async def test_request_that_does_not_arrive_in_time_is_cut(start: bytes) -> None:
    async with HttpDoor(MemoryStore()) as door:
        reader, writer = await connect(door, start)
        (connection,) = door.listener._state.connections
        connection.check_pace(asyncio.get_running_loop().time() + ARRIVE_S - 1)
        assert not connection.transport.is_closing()
        connection.check_pace(asyncio.get_running_loop().time() + ARRIVE_S + 1)
        answer = (await reader.read()).decode()
        writer.close()
        assert answer.startswith("HTTP/1.1 408 ")


async def test_client_that_does_not_read_is_cut(door: HttpDoor) -> None:
    for _ in range(8):
        await door.send(b"\xff" * BODY_BYTES_MAX)
    await door.client.aclose()
    request = b'{"group":"g","consumer_id":"c","limit":8}'
    head = b"POST /api/v1/q/dequeue HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(request)
    _, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write(head + request)
    connections = door.listener._state.connections
    while not any(connection.unread_since for connection in connections):
        await asyncio.sleep(0)
    (connection,) = [connection for connection in connections if connection.unread_since]
    connection.check_pace(asyncio.get_running_loop().time() + READ_S + 1)
    while connection in connections:
        await asyncio.sleep(0)
    writer.close()


class Recorder(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...


def test_head_and_body_of_a_response_are_one_write() -> None:
    recorder = Recorder()
    transport = JoiningTransport(recorder)
    transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.write(b"body")
    transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    transport.flush()
    transport.flush()
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    transport.close()
    assert recorder.written == [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nbody",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ]


async def test_pipelined_requests_are_answered_in_order(door: HttpDoor) -> None:
    requests = [b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: %d\r\n\r\n" % number for number in range(20)]
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write(b"".join(requests) + b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answers = (await reader.read()).decode()
    writer.close()
    assert re.findall(r"x-request-id: (\d+)\r", answers) == [str(number) for number in range(20)]
    assert answers.count("HTTP/1.1 200 OK") == 21


async def test_upgrade_to_another_protocol_is_ignored(door: HttpDoor) -> None:
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABk"}
    assert (await door.client.get("/healthz", headers=headers)).text == "ok"


async def test_connection_closes_when_the_client_asks(door: HttpDoor) -> None:
    for version, header in (("1.1", "connection: close\r\n"), ("1.0", "")):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
        writer.write(f"GET /healthz HTTP/{version}\r\nhost: x\r\n{header}\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        assert b"connection: close" in head
        assert body == b"ok"


async def test_head_request_has_no_body(door: HttpDoor) -> None:
    response = await door.client.head("/healthz")
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "2")


# Listening


async def test_address_in_use_is_an_os_error(door: HttpDoor) -> None:
    other = HttpListener(create_app(door.broker), "127.0.0.1", door.listener.port)
    with pytest.raises(OSError, match=r"address already in use|Address already in use"):
        await other.start()


async def test_https() -> None:
    broker = Broker(MemoryStore(), AsyncRuntime())
    await broker.open()
    listener = HttpListener(create_app(broker), "127.0.0.1", 0, CERT, KEY)
    await listener.start()
    context = ssl.create_default_context(cafile=CERT)
    context.check_hostname = False
    async with httpx.AsyncClient(verify=context) as client:
        response = await client.get(f"{listener.url}/healthz")
    await listener.stop()
    await broker.close()
    assert listener.url.startswith("https://127.0.0.1:")
    assert response.text == "ok"


# Mounted in another application


async def test_app_serves_below_a_prefix(door: HttpDoor) -> None:
    app = Starlette(routes=[Mount("/mq", create_app(door.broker))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x/mq") as client:
        assert (await client.post("/api/v1/q/enqueue", json={"message": 1})).status_code == 202
        assert (await client.get("/api/v1/q/status")).json()["queue_status"]["total_messages"] == 1
        assert (await client.get("/nowhere")).json() == {"error": "no such route", "code": "not_found"}
        assert 'src="docs/docs.js"' in (await client.get("/docs")).text


# Documentation


@pytest.fixture
def app() -> Router:
    async def make() -> Router:
        return create_app(Broker(MemoryStore(), AsyncRuntime()), api_key="k")

    return asyncio.run(make())


def document_of(app: Router) -> dict[str, Any]:
    async def get() -> dict[str, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            document: dict[str, Any] = (await client.get("/openapi.json")).json()
            return document

    return asyncio.run(get())


def test_document_names_every_route(app: Router) -> None:
    paths = {route.path.replace(":segment", "") for route in app.routes} - {"/docs/docs.js", "/docs/docs.css"}
    assert document_of(app)["paths"].keys() == paths


def test_every_reference_of_the_document_leads_somewhere(app: Router) -> None:
    document = document_of(app)

    def references(node: Any) -> Any:
        if isinstance(node, dict):
            yield from [node["$ref"]] if "$ref" in node else []
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    found = set(references(document))
    assert len(found) > 40
    for reference in found:
        at: Any = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
        assert at


def test_document_describes_operations(app: Router) -> None:
    document = document_of(app)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert "500" in operation["responses"]
    enqueue = document["paths"]["/api/v1/{queue}/enqueue"]["post"]
    assert {"202", "400", "401", "404", "409", "413", "429", "503", "507"} < enqueue["responses"].keys()
    assert enqueue["security"] == [{"key": []}]
    assert document["paths"]["/api/v1/{queue}/peek"]["post"]["security"] == []
    assert document["components"]["schemas"]["Enqueue"]["required"] == ["message"]


def test_no_route_hides_another(app: Router) -> None:
    for route in app.routes:
        path = re.sub(r"\{[^}]+\}", "x", route.path)
        scope = {"type": "http", "method": "GET", "path": path, "root_path": ""}
        first = next(other for other in app.routes if other.matches(scope)[0].value == 2)
        assert first is route, path


async def test_docs_load_nothing_from_elsewhere(door: HttpDoor) -> None:
    page = await door.client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    script, style = await door.client.get("/docs/docs.js"), await door.client.get("/docs/docs.css")
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")
    for text in (page.text, script.text, style.text):
        assert not re.search(r"https?://|innerHTML|document\.write|eval\(|style=|onclick=", text)


async def test_docs_can_be_left_out() -> None:
    async with HttpDoor(MemoryStore(), docs=False) as door:
        for path in ("/docs", "/openapi.json"):
            assert (await door.client.get(path)).status_code == 404


# Metrics


async def test_metrics_of_requests_and_of_hostile_labels(door: HttpDoor) -> None:
    await door.post("q/enqueue", {"message": "a"})
    await door.get("nowhere/status")
    await door.call("BREW", "q/status")
    text = (await door.client.get("/metrics")).text
    route = 'route="/api/v1/{queue}/'
    assert f'crossdock_http_requests_total{{method="POST",{route}enqueue",status="202"}} 1.0' in text
    assert f'crossdock_http_requests_total{{method="GET",{route}status",status="404"}} 1.0' in text
    assert f'crossdock_http_request_seconds_count{{{route}enqueue"}} 1.0' in text
    assert "nowhere" not in text
    assert "BREW" not in text
    assert "crossdock_waiting_receives 0.0" in text


# The rest of what the remote client needs


async def test_groups(door: HttpDoor) -> None:
    created = [await door.post("q/groups/create", {"group": "g"}) for _ in range(2)]
    assert [(each.status_code, each.headers["x-created"]) for each in created] == [(201, "true"), (201, "false")]
    assert (await door.post("q/groups/delete", {"group": "g"})).json() == {"status": "deleted"}
    assert (await door.post("q/groups/delete", {"group": "g"})).status_code == 404


async def test_settings_are_replaced_and_changed(door: HttpDoor) -> None:
    replaced = await door.call("PUT", "q/settings", {"lease": 5, "max_attempts": 9})
    assert replaced.json() == {"status": "ok", "settings": {"lease": "5s", "max_attempts": 9}}
    changed = await door.call("PATCH", "q/settings", {"paused": True, "max_attempts": None})
    assert changed.json() == {"status": "ok", "settings": {"lease": "5s", "paused": True}}
    await door.enqueue("a")
    assert (await door.dequeue()).status_code == 204
    await door.call("PATCH", "q/settings", {"paused": False})
    assert (await door.take())["lease_until"] == door.clock.now() + 5000


async def test_browse_purge_and_delete_messages(door: HttpDoor) -> None:
    ids = [await door.enqueue(number, delay=0 if number else "1h") for number in range(4)]
    await door.take()

    async def browse(**options: Any) -> list[int]:
        response = await door.post("q/browse", {"group": GROUP, **options})
        return [each["id"] for each in response.json()["messages"]]

    assert await browse() == ids
    assert await browse(order="desc", limit=2) == [ids[3], ids[2]]
    assert await browse(state="delayed") == [ids[0]]
    assert await browse(state="leased") == [ids[1]]
    assert await browse(order="delivery") == ids[2:]
    deleted = await door.post("q/messages/delete", {"message_ids": [ids[0], ids[1], 999]})
    assert deleted.json() == {"status": "deleted", "count": 2}
    assert (await door.post("q/purge")).json() == {"status": "purged", "count": 2}


async def test_all_or_nothing_batch(door: HttpDoor) -> None:
    first = await door.enqueue("a", deduplication_id="a")
    messages: list[dict[str, Any]] = [{"message": "a", "deduplication_id": "a"}, {"message": "b"}]
    batch = {"mode": "allOrNothing", "messages": messages}
    body = (await door.post("q/enqueue/batch", batch)).json()
    assert (body["success_count"], body["failed_messages"], body["duplicates"]) == (2, [], [0])
    assert body["ids"][0] == first
    messages.append({"message": "x", "delay": "bad"})
    assert (await door.post("q/enqueue/batch", batch)).status_code == 400
    assert (await door.status())["total_messages"] == 2


async def test_redrive_of_a_dead_letter_queue_by_its_own_name(door: HttpDoor) -> None:
    message_id = await door.enqueue("a")
    await door.settle("reject", await door.take())
    assert (await door.post("q.dlq/redrive", {"message_ids": [message_id]})).json()["count"] == 1
    assert (await door.take())["id"] == message_id


async def test_auto_ack_settles_before_the_hand_out(door: HttpDoor) -> None:
    await door.enqueue("a")
    assert (await door.take(auto_ack=True))["payload"] == "a"
    assert (await door.status())["total_messages"] == 0


async def test_sends_of_many_connections_to_one_file(tmp_path: Path) -> None:
    async with HttpDoor(SqliteStore(tmp_path / "queues.db")) as door:
        await door.create()
        ids = await asyncio.gather(*(door.enqueue(number) for number in range(50)))
        assert len(set(ids)) == 50
        assert (await door.status())["total_messages"] == 50

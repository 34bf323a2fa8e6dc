"""Bad input over a real socket: what is answered, word by word, and that the server goes on."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from crossdock.core.limits import BODY_BYTES_MAX
from crossdock.doors.http.connection import HEADERS_MAX, URL_BYTES_MAX
from crossdock.doors.http.sending import BATCH_REQUEST_BYTES_MAX, ENQUEUE_BYTES_MAX
from crossdock.storage.memory import MemoryStore
from http_door import CONSUMER, GROUP, HttpDoor

KEY = "s3cret"


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(MemoryStore(), api_key=KEY) as door:
        door.client.headers["x-api-key"] = KEY
        await door.create()
        yield door
        await still_answers(door)


async def still_answers(door: HttpDoor) -> None:
    """The server takes and gives a message, and nothing of the bad request was kept."""
    assert (await door.status())["total_messages"] == 0
    await door.enqueue("good")
    assert (await door.take())["payload"] == "good"


class Case(NamedTuple):
    """A request below /api/v1 and the error it gets."""

    status: int
    error: str
    """The sentence: a regular expression for all of it."""
    path: str
    body: Any = None
    method: str = "POST"
    """The HTTP method."""
    raw: bytes | None = None
    """The body as bytes, instead of `body` as JSON."""
    code: str = "invalid_argument"


def enqueue(error: str, **fields: Any) -> Case:
    return Case(400, error, "q/enqueue", {"message": 1, **fields})


def dequeue(error: str, **fields: Any) -> Case:
    return Case(400, error, "q/dequeue", {"group": GROUP, "consumer_id": CONSUMER, **fields})


def raw(error: str, body: bytes, path: str = "q/enqueue") -> Case:
    return Case(400, error, path, raw=body)


def create(error: str, **settings: Any) -> Case:
    return Case(400, error, "fresh/create", settings)


def queue(name: str) -> Case:
    return Case(400, r"queue must be 1 to 200 letters, digits or _ \. : - and not begin with a sign, got .*", name)


NOT_JSON = "body must be valid JSON"
DURATION = r'must be a duration such as 5, "300ms" or "1m30s", got .*'
DEEP = 200

CASES = [
    # Not JSON, or not an object
    raw(NOT_JSON, b""),
    raw(NOT_JSON, b"hello"),
    raw(NOT_JSON, b'{"message":1'),
    raw(NOT_JSON, b'{"message":1}x'),
    raw(NOT_JSON, b"{'message':1}"),
    raw(NOT_JSON, b'{"message":NaN}'),
    raw(NOT_JSON, b'{"message":01}'),
    raw(NOT_JSON, b'{"message":[1,]}'),
    raw(NOT_JSON, b'{"message":"\\x"}'),
    raw(NOT_JSON, b'{"message":"a\nb"}'),
    raw(NOT_JSON, b'\xef\xbb\xbf{"message":1}'),
    raw("body must be UTF-8", b'{"message":"\xff"}'),
    raw("body must be UTF-8", b'{"message":1,"ordering_key":"\xc3("}'),
    raw("body must be an object, got an array", b"[]"),
    raw("body must be an object, got null", b"null"),
    raw("message must not nest deeper than 128 levels", b'{"message":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    raw("body must not nest deeper than 128 levels", b'{"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    raw(NOT_JSON, b"\0" * 100, "q/dequeue"),
    # Missing, unknown and wrong fields
    Case(400, "message is required", "q/enqueue", {}),
    Case(400, "group is required", "q/dequeue", {"consumer_id": "c"}),
    Case(400, "consumer_id is required", "q/dequeue", {"group": "g"}),
    Case(400, "receipt is required", "q/ack", {"group": "g", "message_id": 1}),
    Case(400, "extend_sec is required", "q/renew", {"group": "g", "message_id": 1, "receipt": "r"}),
    Case(400, "group is required", "q/peek", {}),
    Case(400, r"messages\[1\]\.message is required", "q/enqueue/batch", {"messages": [{"message": 1}, {}]}),
    enqueue("colour is not a field of this request", colour="red"),
    dequeue("max is not a field of this request", max=3),
    Case(400, "options.page is not a field of this request", "q/peek", {"group": "g", "options": {"page": 1}}),
    create("leese is not a field of this request", leese="3s"),
    Case(400, "kind is not a field of this request", "q/settings", {"kind": "topic"}, "PATCH"),
    enqueue("priority must be a whole number, got text", priority="high"),
    enqueue("priority must be a whole number, got a number", priority=1.5),
    enqueue("priority must be a whole number from -1000 to 1000, got 1001", priority=1001),
    enqueue("headers must be an object, got an array", headers=["a"]),
    enqueue("headers must be text, got a whole number", headers={"a": 1}),
    enqueue("headers must be at most 64, got '65 headers'", headers={str(n): "" for n in range(65)}),
    enqueue("deduplication_id must be 1 to 256 printable characters, got ''", deduplication_id=""),
    enqueue("ordering_key must be 1 to 256 printable characters, got .*", ordering_key="k" * 257),
    enqueue("encoding must be one of its choices, got 'hex'", encoding="hex"),
    enqueue("message must be base64 text", encoding="base64"),
    Case(400, "message must be base64 text", "q/enqueue", {"message": "!!", "encoding": "base64"}),
    dequeue("group must be text, got null", group=None),
    dequeue("group must be 1 to 200 letters.*, got ''", group=""),
    dequeue("group must be 1 to 200 letters.*", group="../x"),
    dequeue("consumer_id must be 1 to 256 printable characters, got ''", consumer_id=""),
    dequeue("consumer_id must be 1 to 256 printable characters, got 'a.*b'", consumer_id="a\nb"),
    dequeue("limit must be a whole number from 1 to 1000, got 0", limit=0),
    dequeue("limit must be a whole number from 1 to 1000, got 1001", limit=1001),
    dequeue("auto_ack must be true or false, got text", auto_ack="yes"),
    Case(400, "message_id must be >= 1", "q/ack", {"group": "g", "message_id": 0, "receipt": "r"}),
    Case(
        400, "message_id must be <= 9223372036854775807", "q/ack", {"group": "g", "message_id": 2**63, "receipt": "r"}
    ),
    Case(
        400, "message_id must be a whole number, got text", "q/nack", {"group": "g", "message_id": "1", "receipt": "r"}
    ),
    Case(400, "messages must have 1 to 1000 elements, got '0 elements'", "q/enqueue/batch", {"messages": []}),
    Case(400, "messages must have .*", "q/enqueue/batch", {"messages": [{"message": 1}] * 1001}),
    Case(400, "mode must be one of its choices, got 'all'", "q/enqueue/batch", {"messages": [], "mode": "all"}),
    Case(400, "messages must have 1 to 1000 elements.*", "q/ack/batch", {"group": "g", "messages": []}),
    Case(400, "message_ids must be array of length >= 1|.*message_ids.*", "q/messages/delete", {"message_ids": []}),
    Case(400, "cursor must be a whole number, got text", "q/dlq?cursor=x", method="GET"),
    Case(400, "limit must be <= 1000", "q/dlq?limit=5000", method="GET"),
    Case(400, "color is not a field of this request", "q/dlq?color=red", method="GET"),
    Case(400, "message_id must be a whole number, got 'abc'", "q/dlq/abc", method="GET"),
    Case(400, "message_id must be a whole number.*", "queues/q/messages/99999999999999999999", method="GET"),
    # Durations, and settings out of range
    enqueue("delay " + DURATION, delay="soon"),
    enqueue("delay " + DURATION, delay="5"),
    enqueue("delay " + DURATION, delay=-1),
    enqueue("delay must be a number or text, got true or false|delay must be .*, got true or false", delay=True),
    enqueue("delay must be a whole number from 0 to 31622400000 ms, got .*", delay="9000h"),
    enqueue("ttl " + DURATION, ttl="-5s"),
    enqueue("deliver_at must not be given together with delay, got 5", delay=1, deliver_at=5),
    Case(400, "ttl of 1000 ms ends .*", "q/enqueue", {"message": 1, "ttl": 1, "delay": 2}, code="message_expired"),
    dequeue("wait " + DURATION, wait="1y"),
    dequeue("wait must be a whole number from .*, got 7200000", wait="2h"),
    dequeue("lease must be a whole number from 1 to 43200000 ms, got 86400000", lease="24h"),
    Case(
        400,
        "extend_sec must be a whole number from 1 to 43200000 ms, got 0",
        "q/renew",
        {"group": "g", "message_id": 1, "receipt": "r", "extend_sec": 0},
    ),
    create("lease " + DURATION, lease="fast"),
    create("max_attempts must be a whole number from .*", max_attempts=-1),
    create("kind must be one of its choices, got 'stack'", kind="stack"),
    create("dead_letter must not lead back to queue 'fresh', got 'fresh'", dead_letter="fresh"),
    create("max_messages must be a whole number from .*", max_messages=0),
    # Names
    queue("a%2Fb/enqueue"),
    queue("../enqueue"),
    queue("..%2f..%2fetc%2fpasswd/create"),
    queue("%E2%98%83/create"),
    queue("q%00/create"),
    queue("q%0Aq/create"),
    queue("a%20b/create"),
    queue("-x/create"),
    queue("/create"),
    queue("x" * 201 + "/create"),
    queue("x" * 300 + "/create"),
    queue("%FF/create"),
    # What is not there
    Case(404, "queue 'nowhere' does not exist", "nowhere/enqueue", {"message": 1}, code="queue_not_found"),
    Case(404, "queue 'nowhere' does not exist", "nowhere/stats", method="GET", code="queue_not_found"),
    Case(404, "message 7 does not exist", "queues/q/messages/7", method="GET", code="message_not_found"),
    Case(404, "group 'g' does not exist", "q/groups/delete", {"group": "g"}, code="group_not_found"),
    Case(404, "no such route", "", {}, code="not_found"),
    Case(404, "no such route", "q/explode", {}, code="not_found"),
    Case(405, "method must be one of POST", "q/enqueue", method="GET", code="method_not_allowed"),
    Case(405, "method must be one of POST", "q/dequeue", method="DELETE", code="method_not_allowed"),
    Case(405, "method must be one of GET, HEAD", "q/status", {}, code="method_not_allowed"),
    Case(405, "method must be one of DELETE", "q/delete", method="OPTIONS", code="method_not_allowed"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path[:30]}-{case.error[:40]}")
async def test_bad_input(door: HttpDoor, case: Case) -> None:
    response = await exchange(door, case)
    assert response["status"] == case.status
    assert response["body"].keys() == {"error", "code"}
    assert re.fullmatch(case.error, response["body"]["error"], re.DOTALL), response["body"]["error"]
    assert response["body"]["code"] == case.code
    assert response["headers"]["x-request-id"]
    assert ("allow" in response["headers"]) == (case.status == 405)


async def exchange(door: HttpDoor, case: Case) -> dict[str, Any]:
    """Send the request as it stands, dots and all; a client would tidy the path up."""
    body = case.raw if case.raw is not None else b"" if case.body is None else json.dumps(case.body).encode()
    head = f"{case.method} /api/v1/{case.path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n"
    return await talk(door, f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)


async def talk(door: HttpDoor, *chunks: bytes) -> dict[str, Any]:
    """Write chunks to a connection of their own, read to its end; returns the one response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert len(body) == int(headers.get("content-length", 0)), "one response and no more"
    return {"status": int(first.split()[1]), "headers": headers, "body": json.loads(body) if body else None}


HEAD = f"POST /api/v1/q/enqueue HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n"
GOOD = b'{"message":1}'

BROKEN = "not HTTP that this server understands"
HEAD_TOO_LARGE = "the head must have at most 100 headers and 32768 bytes"

REFUSED = {
    "not HTTP": (400, BROKEN, b"hello\r\n\r\n"),
    "TLS hello": (400, BROKEN, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100),
    "length and chunked (S7)": (
        400,
        BROKEN,
        f"{HEAD}content-length: 13\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".encode() + GOOD,
    ),
    "two lengths": (400, BROKEN, f"{HEAD}content-length: 13\r\ncontent-length: 14\r\n\r\n".encode() + GOOD),
    "length of minus one": (400, BROKEN, f"{HEAD}content-length: -1\r\n\r\n".encode()),
    "length too large to count": (400, BROKEN, f"{HEAD}content-length: {'9' * 30}\r\n\r\n".encode()),
    "space before the colon": (400, BROKEN, f"{HEAD}content-length : 13\r\n\r\n".encode() + GOOD),
    "bare line feed in a header": (400, BROKEN, f"{HEAD}x: a\rb\r\n\r\n".encode()),
    "NUL in a header": (400, BROKEN, f"{HEAD}x: a\0b\r\n\r\n".encode()),
    "URL too long": (
        414,
        "the URL must have at most 8192 bytes",
        f"GET /{'x' * URL_BYTES_MAX} HTTP/1.1\r\n\r\n".encode(),
    ),
    "too many headers": (431, HEAD_TOO_LARGE, HEAD.encode() + b"a: b\r\n" * HEADERS_MAX + b"\r\n"),
    "headers too large": (431, HEAD_TOO_LARGE, HEAD.encode() + (b"a: " + b"x" * 8000 + b"\r\n") * 5 + b"\r\n"),
    "header without end": (431, HEAD_TOO_LARGE, HEAD.encode(), b"a: ", *[b"x" * 20_000] * 4),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_broken_request_is_refused_and_the_connection_closed(door: HttpDoor, name: str) -> None:
    status, error, *chunks = REFUSED[name]
    response = await talk(door, *chunks)
    assert (response["status"], response["body"]["error"]) == (status, error)
    assert response["headers"]["connection"] == "close"
    assert response["headers"]["x-request-id"]


async def test_bad_chunk_ends_the_connection(door: HttpDoor) -> None:
    response = await talk(door, f"{HEAD}transfer-encoding: chunked\r\n\r\nZZ\r\n".encode())
    assert response["status"] == 400


async def test_trailers_do_not_pass_for_headers(door: HttpDoor) -> None:
    head = HEAD.replace(f"x-api-key: {KEY}\r\n", "").encode()
    trailers = f"0\r\nx-api-key: {KEY}\r\n\r\n".encode()
    chunked = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\nd\r\n" + GOOD + b"\r\n"
    response = await talk(door, head + chunked + trailers)
    assert (response["status"], response["body"]) == (401, {"error": "Unauthorized"})


TOO_LARGE = {
    "length said": lambda size: (f"{HEAD}content-length: {size}\r\nconnection: close\r\n\r\n".encode(),),
    "length not said": lambda size: (
        f"{HEAD}transfer-encoding: chunked\r\nconnection: close\r\n\r\n".encode(),
        b"%x\r\n" % size + b"x" * size + b"\r\n",
    ),
}


@pytest.mark.parametrize("how", TOO_LARGE)
async def test_body_over_the_bound_is_refused_before_it_is_held(door: HttpDoor, how: str) -> None:
    """S5: said in the head, nothing of the body is read; else reading stops at the bound."""
    chunks: Callable[[int], tuple[bytes, ...]] = TOO_LARGE[how]
    response = await talk(door, *chunks(ENQUEUE_BYTES_MAX + 1))
    expected = {"error": f"body must have at most {ENQUEUE_BYTES_MAX} bytes", "code": "body_too_large"}
    assert (response["status"], response["body"]) == (413, expected)


@pytest.mark.parametrize(("path", "limit"), [("q/enqueue/batch", BATCH_REQUEST_BYTES_MAX), ("q/ack", 1024 * 1024)])
async def test_each_route_has_its_bound(door: HttpDoor, path: str, limit: int) -> None:
    head = f"POST /api/v1/{path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\nconnection: close\r\n"
    response = await talk(door, f"{head}content-length: {limit + 1}\r\n\r\n".encode())
    assert (response["status"], response["body"]["code"]) == (413, "body_too_large")


async def test_message_at_the_bound_and_over(door: HttpDoor) -> None:
    """S5: limit, limit + 1."""
    fits = "x" * (BODY_BYTES_MAX - 2)
    assert (await door.post("q/enqueue", {"message": fits})).status_code == 202
    over = await door.post("q/enqueue", {"message": fits + "x"})
    assert over.status_code == 400
    assert over.json()["error"] == f"message must have at most {BODY_BYTES_MAX} bytes, got '{BODY_BYTES_MAX + 1} bytes'"
    assert (await door.post("q/purge")).json() == {"status": "purged", "count": 1}


async def test_unread_body_does_not_become_the_next_request(door: HttpDoor) -> None:
    """S7: a request refused before its body was read leaves the connection in step."""
    smuggled = b"GET /api/v1/q/status HTTP/1.1\r\nhost: x\r\n\r\n"
    head = "POST /api/v1/q/explode HTTP/1.1\r\nhost: x\r\n"
    first = f"{head}content-length: {len(smuggled)}\r\n\r\n".encode() + smuggled
    second = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write(first + second)
    answers = (await reader.read()).decode()
    writer.close()
    assert re.findall(r"HTTP/1.1 (\d+)", answers) == ["404", "200"]


@pytest.mark.parametrize("key", [None, "", "wrong", KEY[:-1], KEY + "x", "é"])
async def test_missing_or_wrong_key(door: HttpDoor, key: str | None) -> None:
    del door.client.headers["x-api-key"]
    headers = {} if key is None else {"x-api-key": key.encode()}
    response = await door.post("q/enqueue", {"message": 1}, headers=headers)
    assert (response.status_code, response.json()) == (401, {"error": "Unauthorized"})
    door.client.headers["x-api-key"] = KEY


async def test_wrong_key_is_told_before_the_body_is_looked_at(door: HttpDoor) -> None:
    response = await door.client.post("/api/v1/q/enqueue", content=b"{", headers={"x-api-key": "wrong"})
    assert response.status_code == 401


async def test_over_the_rate() -> None:
    async with HttpDoor(MemoryStore(), rate=0.5) as door:
        await door.create()
        answers = [await door.post("q/enqueue", {"message": 1}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 429, 429]
        assert answers[1].json() == {"error": "Too many requests"}
        assert answers[1].headers["retry-after"] == "2"
        door.clock.advance(4000)
        assert (await door.status())["total_messages"] == 1


async def test_full_queue(door: HttpDoor) -> None:
    await door.create("small", max_messages=1)
    await door.enqueue("a", queue="small")
    response = await door.post("small/enqueue", {"message": "b"})
    assert (response.status_code, response.json()["code"]) == (507, "queue_full")


@pytest.mark.parametrize("verb", ["ack", "nack", "reject"])
async def test_stale_receipt(door: HttpDoor, verb: str) -> None:
    await door.create("b")
    await door.enqueue("a", queue="b")
    stale = await door.take("b")
    door.clock.advance(3000)
    response = await door.settle(verb, stale, queue="b")
    expected = {"error": f"the lease of message {stale['id']} is no longer held", "code": "lease_lost"}
    assert (response.status_code, response.json()) == (409, expected)

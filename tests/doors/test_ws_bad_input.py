"""Bad input and slow clients of the WebSocket door, over raw sockets: how each ends, and that the server goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from crossdock.core.limits import BODY_BYTES_MAX
from crossdock.core.model import Message
from crossdock.doors.websocket import listener
from crossdock.doors.websocket.answering import ANSWER_BYTES_MAX
from crossdock.doors.websocket.connection import HEAD_BYTES_MAX, UNREAD_BYTES_MAX
from crossdock.doors.websocket.pace import ARRIVE_S, CLOSE_S, HANDSHAKE_S, PING_S, PONG_S, READ_S
from crossdock.storage.memory import MemoryStore
from desk import Q
from ws_door import MASK, UPGRADE, DoorInTest, RawClient, ask, frame

PROTOCOL_ERROR, INVALID_DATA, POLICY_VIOLATION, TOO_BIG, INTERNAL_ERROR = 1002, 1007, 1008, 1009, 1011


@pytest.fixture
async def door() -> AsyncIterator[DoorInTest]:
    async with DoorInTest(MemoryStore()) as door:
        yield door
        await door.until_left(len(door._clients))
        client = await door.connect("/ws/publish?queue=q")
        assert await ask(client, b"good") == "ok", "the server goes on"


async def waits(client: RawClient) -> None:
    """Nothing comes from the server."""
    read = asyncio.ensure_future(client.reader.read(1))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not read.done()
    read.cancel()
    await asyncio.wait([read])


async def cut_off(client: RawClient) -> None:
    """The server ends the connection, whatever was under way."""
    with suppress(ConnectionError):
        await client.reader.read()
    with suppress(ConnectionError):
        await client.close()


# Frames


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x82\x01a", PROTOCOL_ERROR),  # not masked
        (frame(b"", 3), PROTOCOL_ERROR),  # opcodes that are none
        (frame(b"", 7), PROTOCOL_ERROR),
        (frame(b"", 15), PROTOCOL_ERROR),
        (bytes([0xC2]) + frame(b"a")[1:], PROTOCOL_ERROR),  # reserved bits, compression without negotiation
        (bytes([0xF2]) + frame(b"a")[1:], PROTOCOL_ERROR),
        (frame(b"a", 0), PROTOCOL_ERROR),  # a fragment of nothing
        (frame(b"a", fin=False) + frame(b"b"), PROTOCOL_ERROR),  # a message inside another
        (frame(b"x" * 126, 9), PROTOCOL_ERROR),  # a ping too long, a ping in fragments
        (frame(b"", 9, fin=False), PROTOCOL_ERROR),
        (frame(b"\x03", 8), PROTOCOL_ERROR),  # closes: half a code, a code that is none, a reason that is no text
        (frame(b"\x00\x01", 8), PROTOCOL_ERROR),
        (frame(b"\x03\xe8\xff", 8), INVALID_DATA),
        (frame(b"\xff", 1), INVALID_DATA),
        (frame(b"\xc3", 1, fin=False) + frame(b"(", 0), INVALID_DATA),
    ],
)
async def test_what_breaks_the_protocol_ends_the_connection(door: DoorInTest, data: bytes, code: int) -> None:
    client = await door.raw()
    client.write(data)
    assert await client.close_code() == code
    await client.close()
    assert (await door.stats()).stored == 0


@pytest.mark.parametrize(
    ("path", "most"), [("/ws/publish?queue=q", BODY_BYTES_MAX), ("/ws/subscribe?queue=q", ANSWER_BYTES_MAX)]
)
async def test_a_message_too_large_is_refused_by_its_length_alone(door: DoorInTest, path: str, most: int) -> None:
    """S10, F32: nothing of it was sent, so nothing can have been kept."""
    for size in (most + 1, 2**40, 2**63 - 1):
        client = await door.raw(path)
        client.write(b"\x82\xff" + size.to_bytes(8))
        assert await client.close_code() == TOO_BIG
        await client.close()


async def test_fragments_are_bounded_together(door: DoorInTest) -> None:
    client = await door.raw()
    part = b"x" * (BODY_BYTES_MAX // 4)
    client.write(frame(part, fin=False) + 3 * frame(part, 0, fin=False))
    client.write(b"\x80\x81" + MASK)  # the head of one byte more is enough
    assert await client.close_code() == TOO_BIG
    await client.close()


async def test_a_largest_message_in_fragments_is_taken(door: DoorInTest) -> None:
    client = await door.raw()
    part = b"x" * (BODY_BYTES_MAX // 4)
    client.write(frame(part, fin=False) + 2 * frame(part, 0, fin=False) + frame(b"?", 9) + frame(part, 0))
    assert [await client.frame() for _ in range(2)] == [(10, b"?"), (1, b"ok")]
    (got,) = await door.broker.receive(Q)
    assert got.message.body == b"x" * BODY_BYTES_MAX
    await client.close()


async def test_fragments_without_content_take_no_memory(door: DoorInTest) -> None:
    client = await door.raw()
    client.write(frame(b"a", 1, fin=False) + 20_000 * frame(b"", 0, fin=False) + frame(b"b", 0))
    assert await client.frame() == (1, b"ok")
    (got,) = await door.broker.receive(Q)
    assert got.message.body == b"ab"
    await client.close()


async def test_bytes_come_one_by_one(door: DoorInTest) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    for byte in (UPGRADE.format(path="/ws/publish?queue=q") + "\r\n").encode():
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    client = RawClient(reader, writer)
    for byte in frame("ü".encode(), 1):
        client.write(bytes([byte]))
        await asyncio.sleep(0)
    assert await client.frame() == (1, b"ok")
    await client.close()


async def test_a_message_before_the_handshake_is_answered_comes_after_it(door: DoorInTest) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write((UPGRADE.format(path="/ws/publish?queue=q") + "\r\n").encode() + frame(b"early"))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert await RawClient(reader, writer).frame() == (1, b"ok")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("early", [frame(b"\x03\xe8", 8), frame(b"", 9), frame(b"", 15), b"\x82\x01a"])
async def test_whatever_comes_with_a_handshake_waits_for_its_answer(door: DoorInTest, early: bytes) -> None:
    for path, status in (("/ws/publish?queue=q", b"101"), ("/nowhere", b"404")):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
        writer.write((UPGRADE.format(path=path) + "\r\n").encode() + early)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 " + status)
        await RawClient(reader, writer).close()


# Handshakes


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /ws/publish HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        (b"POST /ws/publish HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (UPGRADE.format(path="/ws/publish").replace("13\r\n", "8\r\n").encode() + b"\r\n", 400),
        (UPGRADE.format(path="/ws/publish").replace("AAAAAAAAAAAAAAAAAAAAAA==", "A").encode() + b"\r\n", 400),
        (UPGRADE.format(path="/ws/publish").encode() + b"Origin: a\r\nOrigin: b\r\n\r\n", 400),
        (UPGRADE.format(path="/" + "x" * 9000).encode() + b"\r\n", 414),
        (UPGRADE.format(path="/").encode() + b"X: y\r\n" * 200 + b"\r\n", 431),
        (UPGRADE.format(path="/").encode() + b"X: %b\r\n" % (b"y" * 9000) + b"\r\n", 431),
        (UPGRADE.format(path="/").encode() + 5 * (b"X: %b\r\n" % (b"y" * 8000)), 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 0),
        (b"\x00" * 100 + b"\r\n", 0),
    ],
)
async def test_what_is_no_handshake_is_refused(door: DoorInTest, request_: bytes, status: int) -> None:
    assert (await door.http(request_))[0] == status


async def test_a_head_that_never_ends_is_cut_off(door: DoorInTest) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write(UPGRADE.format(path="/ws/publish").encode())
    for _ in range(HEAD_BYTES_MAX // 1000 + 1):
        writer.write(b"X: %b\r\n" % (b"y" * 1000))
    assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.close()
    await writer.wait_closed()


async def test_half_a_handshake_has_a_deadline(door: DoorInTest) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.listener.port)
    writer.write(UPGRADE.format(path="/ws/publish").encode())
    while not door.connections:
        await asyncio.sleep(0.001)
    (connection,) = door.connections
    now = asyncio.get_running_loop().time()
    connection.check_pace(now + HANDSHAKE_S - 1)
    assert len(door.connections) == 1
    connection.check_pace(now + HANDSHAKE_S + 1)
    await cut_off(RawClient(reader, writer))


async def test_connections_are_bounded(door: DoorInTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "CONNECTIONS_MAX", 1)
    client = await door.raw()
    assert (await door.http(UPGRADE.format(path="/ws/publish").encode() + b"\r\n"))[0] == 503
    client.write(frame(b"a"))
    assert await client.frame() == (1, b"ok")
    await client.close()


# Slow clients


async def test_a_silent_client_is_asked_whether_it_is_there(door: DoorInTest) -> None:
    client = await door.raw()
    (connection,) = door.connections
    now = asyncio.get_running_loop().time()
    connection.check_pace(now)
    connection.check_pace(now + PING_S - 1)
    await waits(client)
    connection.check_pace(now + PING_S + 1)
    connection.check_pace(now + PING_S + 2)
    assert await client.frame() == (9, b"")
    await waits(client)
    client.write(frame(b"", 10))
    while not connection._pace.heard:
        await asyncio.sleep(0)
    connection.check_pace(now + PING_S + PONG_S + 1)
    await waits(client)
    connection.check_pace(now + 2 * PING_S + PONG_S + 3)
    assert await client.frame() == (9, b"")
    connection.check_pace(now + 2 * PING_S + 2 * PONG_S + 4)
    opcode, data = await client.frame()
    assert (opcode, int.from_bytes(data[:2])) == (8, INTERNAL_ERROR)
    connection.check_pace(asyncio.get_running_loop().time() + CLOSE_S + 1)
    await cut_off(client)


async def test_a_message_must_arrive_in_time(door: DoorInTest) -> None:
    for begun in (frame(b"x" * 100)[:50], frame(b"a", fin=False)):
        client = await door.raw()
        (connection,) = door.connections
        client.write(begun)
        while not (connection._messages.unfinished or connection._protocol.reader.buffer):
            await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        for passed in (0, ARRIVE_S, ARRIVE_S + 1):
            connection._pace.heard = True
            connection.check_pace(now + passed)
        opcode, data = await client.frame()
        assert (opcode, int.from_bytes(data[:2])) == (8, POLICY_VIOLATION)
        client.write(frame(b"\x03\xf0", 8))
        await client.close()
        await door.until_left()


async def test_a_client_that_does_not_read_is_bounded_and_then_disconnected(door: DoorInTest) -> None:
    """F32"""
    await door.broker.send(Q, [Message(b"x" * 16_384) for _ in range(900)])
    client = await door.raw("/ws/subscribe?queue=q&credit=900&lease=1h")
    (connection,) = door.connections
    while not connection._pace.unread_since:
        await asyncio.sleep(0.001)
    leased = (await door.stats()).leased
    assert leased < 900
    assert connection.transport.get_write_buffer_size() < UNREAD_BYTES_MAX + 2 * 16_384 * 4 // 3
    for _ in range(100):
        await asyncio.sleep(0)
    assert (await door.stats()).leased == leased, "it is given no more"

    healthy = await door.connect("/ws/consume?queue=q")
    assert await ask(healthy, "next") == b"x" * 16_384, "others are"

    now = asyncio.get_running_loop().time()
    connection.check_pace(now + READ_S - 1)
    assert not connection._pace.closing
    connection.check_pace(now + READ_S + 1)
    connection.check_pace(asyncio.get_running_loop().time() + CLOSE_S + 1)
    await door.until_left(1)
    assert (await door.stats()).leased == 0
    assert door.door.counters["/ws/subscribe"].slow == 1
    await cut_off(client)


async def test_who_asks_and_does_not_read_is_answered_no_further(door: DoorInTest) -> None:
    """F32: a frame of six bytes must not call up a megabyte, again and again."""
    await door.broker.send(Q, [Message(b"x" * BODY_BYTES_MAX) for _ in range(16)])
    client = await door.raw("/ws/consume?queue=q")
    (connection,) = door.connections
    client.write(20_000 * frame(b""))
    while not connection._pace.unread_since:
        await asyncio.sleep(0.001)
    for _ in range(100):
        await asyncio.sleep(0)
    left = (await door.stats()).stored
    assert left >= 8
    assert connection.transport.get_write_buffer_size() <= BODY_BYTES_MAX + UNREAD_BYTES_MAX
    got = [await client.frame() for _ in range(16)]
    assert {(opcode, len(data)) for opcode, data in got} == {(2, BODY_BYTES_MAX)}
    assert (await client.frame())[1] == b"error: queue 'q' is empty"
    await client.close()

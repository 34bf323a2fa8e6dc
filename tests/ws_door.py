"""The WebSocket door on a real socket, over a broker whose time the test moves."""

import asyncio
import json
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from crossdock.broker.broker import Broker
from crossdock.broker.runtime import AsyncRuntime
from crossdock.core.model import Message, QueueStats, Settings
from crossdock.doors.http import create_app
from crossdock.doors.websocket import WsDoor, WsListener
from crossdock.doors.websocket.connection import Connection
from crossdock.storage.base import Store
from crossdock.testing.clock import VirtualClock

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
MASK = b"\1\2\3\4"


class DoorInTest:
    """A listener on a free port, its broker, and clients. To be used as an async context manager."""

    def __init__(self, store: Store, api_key: str | None = None, origins: tuple[str, ...] = ()) -> None:
        self.clock = VirtualClock()
        self._store = store
        self._key = api_key
        self._origins = origins
        self._clients: list[ClientConnection] = []
        self._port = 0

    async def __aenter__(self) -> "DoorInTest":
        self.broker = Broker(self._store, AsyncRuntime(self.clock))
        await self.broker.open()
        self.door = WsDoor(self.broker, create_app(self.broker, docs=False), self._key, self._origins)
        self.listener = WsListener(self.door, "127.0.0.1", 0)
        await self.listener.start()
        await self.broker.create_queue(("default", "q"), Settings(backoff=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            await client.close()
        await self.listener.stop(5)
        await self.broker.close()

    async def shut(self) -> None:
        """Stop listening and close every connection, as a server does that is restarted."""
        self._port = self.listener.port
        await self.listener.stop()

    async def open_again(self) -> None:
        """Listen on the same port again."""
        self.listener = WsListener(self.door, "127.0.0.1", self._port)
        await self.listener.start()

    @property
    def connections(self) -> set[Connection]:
        return self.listener._connections.all

    async def connect(self, path: str, **options: Any) -> ClientConnection:
        """A client that is closed with the door."""
        client = await connect(self.listener.url + path, proxy=None, ping_interval=None, **options)
        self._clients.append(client)
        return client

    async def raw(self, path: str = "/ws/publish?queue=q", head: str = "") -> "RawClient":
        """A client that writes its own frames, the handshake done."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        writer.write((UPGRADE.format(path=path) + head + "\r\n").encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        return RawClient(reader, writer)

    async def http(self, request: bytes) -> tuple[int, str]:
        """Status and body of the answer to a request that is refused."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        writer.write(request)
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split(" ")[1]) if head else 0, body

    async def send(self, *bodies: str, queue: str = "q", **fields: Any) -> None:
        await self.broker.send(("default", queue), [Message(body.encode(), **fields) for body in bodies])

    async def stats(self, queue: str = "q") -> QueueStats:
        return await self.broker.stats(("default", queue))

    async def until_left(self, count: int = 0) -> None:
        """Wait until no more connections than `count` are open."""
        while len(self.connections) > count:
            await asyncio.sleep(0.001)


class RawClient:
    """Writes bytes, reads frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        head = await self.reader.readexactly(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
        return head[0] & 15, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        """The code of the close that comes next, after which the server ends the connection."""
        opcode, data = await self.frame()
        assert opcode == 8, (opcode, data)
        assert await self.reader.read() == b""
        return int.from_bytes(data[:2])

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


def frame(data: bytes, opcode: int = 2, fin: bool = True) -> bytes:
    """A client's frame."""
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2)
    else:
        length = b"\xff" + size.to_bytes(8)
    masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(data))
    return bytes([fin << 7 | opcode]) + length + MASK + masked


async def ask(client: ClientConnection, what: str | bytes | dict[str, Any]) -> Any:
    """Send a message; the answer, as JSON where it is."""
    await client.send(json.dumps(what) if isinstance(what, dict) else what)
    return told(await client.recv())


def told(answer: str | bytes) -> Any:
    return json.loads(answer) if isinstance(answer, str) and answer.startswith("{") else answer


async def take(client: ClientConnection, what: str = "next") -> dict[str, Any]:
    """Ask for a message that must be there."""
    answer = await ask(client, what)
    assert isinstance(answer, dict), answer
    message: dict[str, Any] = answer["message"]
    return message


async def pushed(client: ClientConnection) -> dict[str, Any]:
    """The next message that is pushed."""
    message: dict[str, Any] = told(await client.recv())["message"]
    return message

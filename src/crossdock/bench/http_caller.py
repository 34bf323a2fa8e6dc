"""A cheap HTTP client: one connection, requests encoded by hand. The generator must cost less than what it measures."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crossdock.wire.json_api import BatchSettled, DequeuedMany, ReceiptRef, SettleBatch

from .report import BenchFailed

GROUP = "bench"
CONTENDED = 409
"""Other receivers of the group hold what there is."""

_decode_messages = msgspec.json.Decoder(DequeuedMany).decode
_decode_payload = msgspec.json.Decoder(str).decode
_decode_settled = msgspec.json.Decoder(BatchSettled).decode
_encode = msgspec.json.Encoder().encode
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Wire(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BenchFailed(f"the server closed a connection: {exc or 'no reason given'}"))

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(_END)
        if not end or self._answer is None:
            return
        length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._data = b""
            self._answer.set_result((int(head[9:12]), body))

    def request(self, data: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Send a request; the future has the status and the body."""
        self._answer = self._loop.create_future()
        self._transport.write(data)
        return self._answer

    def close(self) -> None:
        self._transport.close()


class HttpCaller:
    """A Caller over one connection to a server."""

    def __init__(self, url: str, queue: str, wire: Wire, api_key: str = "") -> None:
        parts = urlsplit(url)
        key = f"x-api-key: {api_key}\r\n" if api_key else ""
        self._path = f"{parts.path.rstrip('/')}/api/v1/{queue}"
        self._rest = f" HTTP/1.1\r\nhost: {parts.netloc}\r\n{key}content-length: "
        self._wire = wire
        self._enqueue = self._head("enqueue")
        self._enqueue_batch = self._head("enqueue/batch")
        self._dequeue = self._head("dequeue")
        self._ack = self._head("ack/batch")

    def _head(self, verb: str) -> bytes:
        return f"POST {self._path}/{verb}{self._rest}".encode()

    async def _call(self, head: bytes, body: bytes, expected: int = 200) -> tuple[int, bytes]:
        status, answer = await self._wire.request(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        if status >= 300 and status != expected:
            raise BenchFailed(f"the server answered {status}: {answer.decode(errors='replace')}")
        return status, answer

    async def create(self) -> None:
        """Create the queue."""
        await self._call(self._head("create"), b"")

    async def delete(self) -> None:
        """Delete the queue."""
        await self._call(self._head("delete").replace(b"POST", b"DELETE"), b"")

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    async def send(self, bodies: Sequence[bytes]) -> None:
        if len(bodies) == 1:
            await self._call(self._enqueue, b'{"message":"%b"}' % bodies[0])
        else:
            messages = b",".join(b'{"message":"%b"}' % body for body in bodies)
            await self._call(self._enqueue_batch, b'{"mode":"allOrNothing","messages":[%b]}' % messages)

    async def receive(self, limit: int, wait_s: float) -> list[tuple[bytes, ReceiptRef]]:
        body = b'{"group":"%b","consumer_id":"bench","limit":%d,"wait":%f,"lease":60}' % (GROUP.encode(), limit, wait_s)
        status, answer = await self._call(self._dequeue, body, CONTENDED)
        if status != 200:
            return []
        return [
            (_decode_payload(each.payload).encode(), ReceiptRef(each.id, each.receipt))
            for each in _decode_messages(answer).messages
        ]

    async def ack(self, answers: Sequence[ReceiptRef]) -> None:
        _, answer = await self._call(self._ack, _encode(SettleBatch(GROUP, list(answers))))
        failed = _decode_settled(answer).failed_messages
        if failed:
            raise BenchFailed(f"an ack failed: {failed[0].code}")


async def connect(url: str, queue: str, api_key: str = "") -> HttpCaller:
    """A caller over a new connection. Raises BenchFailed."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise BenchFailed(f"the generator speaks plain http://HOST:PORT only, not {url!r}")
    try:
        _, wire = await asyncio.get_running_loop().create_connection(Wire, parts.hostname, parts.port or 80)
    except OSError as error:
        raise BenchFailed(f"cannot reach {url}: {error.strerror}") from error
    return HttpCaller(url, queue, wire, api_key)

"""One connection: uvicorn's HTTP protocol with the bounds that it leaves open.

Bounds: the head of a request in bytes and headers, the time a request may take to arrive, the time a client may take
to read a response. What breaks them, or HTTP, is answered in JSON and the connection closed.
"""

import asyncio
from typing import Any

import httptools
from msgspec.json import encode
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from crossdock.wire.json_api import Problem

from ..shared.request_ids import RequestIds
from ..shared.respond import RESPOND, Headers

HEAD_BYTES_MAX = 32 * 1024
URL_BYTES_MAX = 8 * 1024
HEADERS_MAX = 100
ARRIVE_S = 30
"""Seconds a request may take to arrive, and a new connection to send its first."""
READ_S = 30
"""Seconds a client may leave a response unread."""
KEEP_ALIVE_S = 75
"""Seconds a connection may idle between requests."""

BROKEN = (400, "not HTTP that this server understands", "bad_request")
TOO_SLOW = (408, f"the request must arrive within {ARRIVE_S} s", "request_timeout")
URL_TOO_LONG = (414, f"the URL must have at most {URL_BYTES_MAX} bytes", "uri_too_long")
HEAD_TOO_LARGE = (
    431,
    f"the head must have at most {HEADERS_MAX} headers and {HEAD_BYTES_MAX} bytes",
    "headers_too_large",
)

_ids = RequestIds()


class JoiningTransport(asyncio.Transport):
    """A transport that writes the head of a response together with the body that follows it: one system call."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        elif data[:9] == b"HTTP/1.1 " and data[9:10] != b"1":
            self._head = bytes(data)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write a head that no body follows."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


class Connections(ServerState):
    """The open connections and running requests of a listener."""

    connections: set["Connection"]  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.none_left = asyncio.Event()

    def left(self) -> None:
        """Note that a connection is gone."""
        if not self.connections:
            self.none_left.set()


class Connection(HttpToolsProtocol):
    """The protocol of one connection."""

    server_state: Connections
    transport: JoiningTransport
    arriving_since = 0.0
    """Loop time at which the request that is arriving began; 0 when none is."""
    unread_since = 0.0
    """Loop time since which the client leaves what was written unread; 0 when it does not."""
    _running: RequestResponseCycle
    _in_message = False
    _in_head = False
    _begun = 0
    """Requests that began in the data at hand."""
    _head_bytes = 0
    _unfinished_bytes = 0
    _refusal = BROKEN

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoiningTransport(transport))
        self._extensions: Any = {RESPOND: self.respond}
        self.arriving_since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.cycle is not None and not self._running.response_complete:  # uvicorn tells the last to arrive only
            self._running.disconnected = True
            self._running.message_event.set()
        self.server_state.left()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        alone = not self._in_message
        self._begun = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.refuse(self._refusal)
        except httptools.HttpParserUpgrade:
            return  # No other protocol is spoken here: the request is served as it is.
        else:
            if self._in_head and (self._begun == 0 or (alone and self._begun == 1)):
                self._count_unfinished(len(data))

    def _count_unfinished(self, size: int) -> None:
        """Bound a head that has not ended: the parser reports a header when it is complete, not while it grows."""
        self._unfinished_bytes += size
        if self._unfinished_bytes > HEAD_BYTES_MAX:
            self.refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._in_message = self._in_head = True
        self._begun += 1
        self._head_bytes = self._unfinished_bytes = 0
        if not self.arriving_since:
            self.arriving_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES_MAX:
            self._refusal = URL_TOO_LONG
            raise ValueError("URL too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # A trailer: what came after the body must not pass for a header.
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if len(self.headers) > HEADERS_MAX or self._head_bytes > HEAD_BYTES_MAX:
            self._refusal = HEAD_TOO_LARGE
            raise ValueError("head too large")

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    async def respond(self, status: int, headers: Headers, body: bytes) -> bool:
        """Send a whole response: the two ASGI events in one, at a fifth of their cost. False: the client is gone.

        What the events check is left out: the headers must be fit to send, their names in lower case.
        """
        cycle = self._running
        if self.flow.write_paused:
            await self.flow.drain()
        if self.transport.is_closing():
            cycle.disconnected = True
        if cycle.disconnected:
            return False
        parts = [STATUS_LINE[status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        if cycle.scope["method"] != "HEAD":
            parts.append(body)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        self.transport.write(b"".join(parts))
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

    def on_message_complete(self) -> None:
        self.arriving_since = 0.0
        self._in_message = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self.transport.flush()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.unread_since = 0.0

    def check_pace(self, now: float) -> None:
        """Close the connection when its client is too slow."""
        if self.unread_since and now - self.unread_since > READ_S:
            self.transport.abort()
        elif self.flow.read_paused:
            self.arriving_since = self.arriving_since and now  # it is the client that waits for us
        elif self.arriving_since and now - self.arriving_since > ARRIVE_S:
            self.refuse(TOO_SLOW)

    def refuse(self, refusal: tuple[int, str, str]) -> None:
        """Answer and close: what comes next on this connection cannot be understood."""
        if self.transport.is_closing():
            return
        status, text, code = refusal
        body = encode(Problem(text, code))
        headers = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        request_id = b"x-request-id: %b\r\nconnection: close\r\n\r\n" % _ids.of(None)
        self.transport.write(STATUS_LINE[status] + headers + request_id)
        self.transport.write(body)
        self.transport.close()

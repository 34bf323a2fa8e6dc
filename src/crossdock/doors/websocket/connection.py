"""One connection: the WebSocket protocol over a socket. Framing is the `websockets` package's, the bounds are ours."""

import asyncio
import logging
from collections import deque
from http import HTTPStatus

from websockets.frames import CloseCode, Frame
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from .connections import Connections
from .counters import PathCounters
from .door import Refused, WsDoor
from .handshake import Head, answer, refusal
from .messages import Message, Messages
from .pace import NOT_READING, Pace
from .session import Session

HEAD_BYTES_MAX = 32 * 1024
"""Bytes of a handshake."""
UNREAD_BYTES_MAX = 64 * 1024
"""What may wait for a client to read it. Beyond that nothing more is sent to it, and no message of it is looked at."""

_log = logging.getLogger("crossdock.websocket")
_frames_log = logging.getLogger("crossdock.websocket.frames")
_frames_log.setLevel(logging.ERROR)
"""The package's own log: at lower levels it tells of every connection, and shows what messages say."""


class Connection(asyncio.Protocol):
    """A client's connection; see `session.Peer` for what sessions use of it."""

    transport: asyncio.Transport
    counters: PathCounters
    address = ""
    gone = False

    def __init__(self, door: WsDoor, connections: Connections) -> None:
        self._door = door
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._protocol = ServerProtocol(origins=door.origins, logger=_frames_log)
        self._pace = Pace(self._loop.time())
        self._session: Session | None = None
        self._head = Head()
        self._messages = Messages()
        self._inbound: deque[Message] = deque()
        """What the session was too busy to be given."""
        self._reading = True
        self._stopping = False
        self._outbound: list[bytes] = []
        self._outbound_bytes = 0
        self._flush_due = False
        self._ending: asyncio.Task[None] | None = None
        """The end of the session."""
        self._shut = False
        """Whether our close is written: nothing may follow it."""
        self._readable = asyncio.Event()
        """Set while the client reads what it is sent, and when it is gone."""
        self._readable.set()

    # From the socket

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self._connections.add(self)
        transport.set_write_buffer_limits(high=UNREAD_BYTES_MAX)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""

    def data_received(self, data: bytes) -> None:
        self._pace.heard = True
        self._flush_due = True  # What is sent from here on goes out together, at the end.
        if self._session is None:
            head, data = self._head.split(data)
            self._receive(head)
            if self._head.size > HEAD_BYTES_MAX and not self._protocol.eof_sent:
                self._refuse_head()
        if self._session is not None:
            self._receive(data)
        self._pump()
        if self._protocol.close_rcvd is not None:
            self._end()
        self._flush()

    def _receive(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Request):
                self._handshake(event)

    def pause_writing(self) -> None:
        self._pace.unread_since = self._loop.time()
        self._readable.clear()

    def resume_writing(self) -> None:
        self._pace.unread_since = 0.0
        self._readable.set()
        self.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._readable.set()
        if self._end().done():
            self._connections.discard(self)

    def _end(self) -> "asyncio.Task[None]":
        """The client wants no more, or is gone. It hears of its close when its leases are given back."""
        if self._ending is None:
            self._pace.close(self._loop.time())
            self._ending = self._loop.create_task(self._end_session())
            self._ending.add_done_callback(lambda task: self._ended())
        return self._ending

    async def _end_session(self) -> None:
        session = self._session
        if session is None:
            return
        self.counters.open_now -= 1
        rest = list(self._inbound)
        self._inbound.clear()
        try:
            await session.close(rest)
        except Exception:
            _log.exception("a session was not closed")

    def _ended(self) -> None:
        if self.gone:
            self._connections.discard(self)
        else:
            self._flush()

    # The handshake

    def _handshake(self, request: Request) -> None:
        response, self._session = answer(self._protocol, request, self._door, self)
        self._respond(response)
        if self._session is not None:
            self._protocol.max_message_size = self._session.bytes_max
            self.counters.opened += 1
            self.counters.open_now += 1

    def _refuse_head(self) -> None:
        text = f"the head must have at most {HEAD_BYTES_MAX} bytes"
        self._respond(refusal(self._protocol, Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)))

    def _respond(self, response: Response) -> None:
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._door.refuse(response.status_code)
        self._protocol.send_response(response)
        self._flush()

    # Messages from the client

    def _frame(self, frame: Frame) -> None:
        try:
            message = self._messages.add(frame)
        except UnicodeDecodeError:
            self._protocol.fail(CloseCode.INVALID_DATA, "a text message must be UTF-8")
            self._pace.close(self._loop.time())
            return
        if message is not None and not self._pace.closing:
            self._pace.message_ended()
            self._inbound.append(message)

    def _pump(self) -> None:
        """Hand messages to the session while it can take them, and read on only when none is left."""
        session = self._session
        if session is None or self._pace.closing:
            return
        while self._inbound and not (session.busy or self._pace.unread_since):
            session.received(self._turn(session))
        self._read(not self._inbound and not self._stopping)

    def _turn(self, session: Session) -> list[Message]:
        inbound = self._inbound
        return [inbound.popleft() for _ in range(min(len(inbound), session.turn_max))]

    def _read(self, wanted: bool) -> None:
        if wanted is not self._reading and not self.gone and not self.transport.is_closing():
            self._reading = wanted
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    # To the client

    def send(self, frame: bytes) -> None:
        if self.gone or self._shut:
            return
        self._outbound.append(frame)
        self._outbound_bytes += len(frame)
        if self._outbound_bytes >= UNREAD_BYTES_MAX:
            self._flush()
        elif not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    async def drained(self) -> None:
        await self._readable.wait()

    def resume(self) -> None:
        self._pump()
        if self._stopping and not self._inbound and (self._session is None or self._session.idle):
            self.close(CloseCode.GOING_AWAY, "the server is stopping")

    def close(self, code: int, reason: str) -> None:
        if self.gone or self._pace.closing:
            return
        self._pace.close(self._loop.time())
        self._flush()
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()
            self._read(True)  # the client's answer to it
        else:
            self.transport.close()

    def _flush(self) -> None:
        """Write everything in one call: answers, then what the protocol has to say, its close above all."""
        self._flush_due = False
        held = self._ending is not None and not self._ending.done()
        writes = [] if held else self._protocol.data_to_send()
        if self._outbound:
            writes = self._outbound + writes
            self._outbound = []
            self._outbound_bytes = 0
        if not writes or self.gone or self.transport.is_closing():
            return
        self._shut = self._protocol.state is not State.OPEN and not held
        self.transport.write(b"".join(writes))
        if writes[-1] == b"":
            self.transport.close()

    # What the listener tells

    def stop(self) -> None:
        """Read no more; close when what came is answered."""
        self._stopping = True
        self.resume()

    def check_pace(self, now: float) -> None:
        """Called once a second: end the connection when its client is too slow, ask whether it is there."""
        pace = self._pace
        if pace.over(now, self._session is not None):
            self.transport.abort()
        if self._session is None or pace.closing:
            return
        arriving = self._messages.unfinished or len(self._protocol.reader.buffer) > 0
        late = pace.late(now, self._reading, arriving)
        if late is not None:
            self.counters.slow += late is NOT_READING
            self.close(late.code, late.reason)
        elif pace.ping_due(now) and self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()

"""/ws/api: requests of the JSON API, any number at once over one connection.

They are served by the same ASGI application as those that come by HTTP: there is one JSON API, with two ways to it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from time import perf_counter
from typing import Any
from urllib.parse import unquote

from msgspec import Raw
from msgspec.json import encode

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BATCH_BYTES_MAX, ID_MAX, check_range
from crossdock.wire.json_api_bodies import decode
from crossdock.wire.ws import ApiCall, ApiReply, decode_call

from ..shared.respond import RESPOND, Headers
from .errors import error_frame
from .frames import text_frame
from .messages import Message
from .session import Peer

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]
"""An ASGI application that answers by RESPOND."""

PREFIX = "/api/v1/"
CALLS_MAX = 1000
"""Requests of one connection that are under way at once, long polls included."""
CALL_BYTES_MAX = BATCH_BYTES_MAX * 4 // 3 + 2 * 1024 * 1024
"""A largest batch in base64, with its options."""


class Api:
    """Serves the requests of one connection, each in a task of its own; answers come as they are ready."""

    bytes_max = CALL_BYTES_MAX
    turn_max = 1

    def __init__(self, peer: Peer, app: App) -> None:
        self._peer = peer
        self._app = app
        self._calls: dict[int, _Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return len(self._tasks) >= CALLS_MAX

    @property
    def idle(self) -> bool:
        return not self._tasks

    def received(self, turn: list[Message]) -> None:
        try:
            request = decode(decode_call, turn[0][0])
            check_range("id", request.id, 0, ID_MAX)
            if request.cancel:
                self._cancel(request.id)
            else:
                self._begin(request)
        except InvalidArgument as error:
            self._peer.send(error_frame(error, self._peer.counters))

    def _cancel(self, number: int) -> None:
        call = self._calls.get(number)
        if call is not None:  # else it was answered meanwhile
            call.gone.set()

    def _begin(self, request: ApiCall) -> None:
        if request.id in self._calls:
            raise InvalidArgument("id", request.id, "must not be that of a request under way")
        if not request.path.startswith(PREFIX):
            raise InvalidArgument("path", request.path, f"must begin with {PREFIX}")
        call = self._calls[request.id] = _Call(self._peer, request)
        task = asyncio.create_task(call.serve(self._app))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._end(request.id, ended))

    def _end(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._calls[number]
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._peer.send(error_frame(error, self._peer.counters))
        self._peer.resume()

    async def close(self, rest: Sequence[Message]) -> None:
        for call in self._calls.values():
            call.gone.set()
        if self._tasks:
            await asyncio.wait(self._tasks)


class _Call:
    """One request, as an ASGI application sees it."""

    def __init__(self, peer: Peer, request: ApiCall) -> None:
        self._peer = peer
        self._request = request
        self._body = b"" if bytes(request.body) == b"null" else bytes(request.body)
        self._read = False
        self._began = perf_counter()
        self.gone = asyncio.Event()
        """Set when nobody waits for the response any more."""

    async def serve(self, app: App) -> None:
        await app(self._scope(), self._receive, self._send)

    def _scope(self) -> Event:
        path, _, query = self._request.path.partition("?")
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": (self._peer.address, 0),
            "server": None,
            "extensions": {RESPOND: self._respond},
        }

    async def _receive(self) -> Event:
        if not self._read:
            self._read = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Event) -> None:
        raise NotImplementedError("the application must answer by the extension")

    async def _respond(self, status: int, headers: Headers, body: bytes) -> bool:
        await self._peer.drained()
        if self.gone.is_set() or self._peer.gone:
            return False
        self._peer.counters.latency.add(perf_counter() - self._began)
        if status >= 400:
            self._peer.counters.failed(str(status))
        told = {name.decode(): value.decode("latin-1") for name, value in headers if not name.startswith(b"content-")}
        self._peer.send(text_frame(encode(ApiReply(self._request.id, status, told, Raw(body or b"null")))))
        return True

"""One server over WebSocket: requests of the JSON API on one connection, and other connections beside it."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from itertools import count
from typing import Any

import aiohttp
import msgspec
from msgspec import Raw

from crossdock.core.errors import AccessDenied, CrossdockError, StoreUnavailable
from crossdock.wire.ws import ApiCall, ApiReply

from .http_connection import ANSWER_SECONDS, CONNECT_SECONDS, HttpConnection, Reply

HEARTBEAT_SECONDS = 20
"""How often the server is asked whether it is there; it has half the time to answer."""
CLOSE_SECONDS = 5

Socket = aiohttp.ClientWebSocketResponse


class WsConnection(HttpConnection):
    """Makes requests over a connection that is opened by the first, and opened again when it was lost."""

    schemes = ("ws", "wss")

    def __init__(self, url: str, api_key: str | None) -> None:
        super().__init__(url, api_key)
        self._socket: Socket | None = None
        self._dialing = asyncio.Lock()
        self._numbers = count(1)
        self._calls: dict[int, asyncio.Future[ApiReply]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close what is open. A second call does nothing."""
        if self._socket is not None:
            await self._socket.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await super().close()

    async def dial(self, path: str, query: Mapping[str, str]) -> Socket:
        """A new connection. Raises StoreUnavailable when there is none to be had, AccessDenied, CrossdockError."""
        timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self.session.ws_connect(
                    self.url + path, params=query, timeout=timeout, heartbeat=HEARTBEAT_SECONDS, max_msg_size=0
                )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 401:
                raise AccessDenied("the server asks for another API key") from error
            kind = StoreUnavailable if error.status >= 500 else CrossdockError
            raise kind(f"{self.url} refuses the connection with HTTP status {error.status}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise StoreUnavailable(f"cannot reach {self.url}: {str(error) or type(error).__name__}") from error

    async def _exchange(self, method: str, path: str, body: Any, wait: int) -> Reply:
        socket = await self._connected()
        number = next(self._numbers)
        answer = self._calls[number] = asyncio.get_running_loop().create_future()
        try:
            await socket.send_bytes(msgspec.json.encode(ApiCall(number, method, path, Raw(msgspec.json.encode(body)))))
            async with asyncio.timeout(wait / 1000 + ANSWER_SECONDS):
                reply = await answer
        except (aiohttp.ClientError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise StoreUnavailable(f"{self.url} did not answer, the outcome is unknown: {reason}") from error
        finally:
            del self._calls[number]
            if not answer.done() or answer.cancelled():
                self.start(self.tell(socket, ApiCall(number, cancel=True)))  # What it would get, others are given.
        content = bytes(reply.body)
        return Reply(reply.status, reply.headers, b"" if content == b"null" else content)

    async def _connected(self) -> Socket:
        async with self._dialing:
            if self._socket is None or self._socket.closed:
                self._socket = await self.dial("/ws/api", {})
                self.start(self._read(self._socket))
            return self._socket

    async def _read(self, socket: Socket) -> None:
        """Hand each reply to who waits for it; when the connection ends, an error to all who still wait."""
        try:
            async for message in socket:
                reply = msgspec.json.decode(message.data, type=ApiReply)
                answer = self._calls.get(reply.id)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
        except msgspec.DecodeError as error:
            reason = f"the server does not answer as crossdock does: {error}"
        else:
            reason = "the connection was lost"
        await socket.close()
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(aiohttp.ClientConnectionError(reason))

    async def tell(self, socket: Socket, what: msgspec.Struct) -> None:
        """Send what needs no answer. On a connection that is lost there is nothing to tell any more."""
        if not socket.closed:
            with suppress(aiohttp.ClientError, OSError):
                await socket.send_str(msgspec.json.encode(what).decode())

    def start(self, step: Coroutine[Any, Any, None]) -> None:
        """Run `step` in the background; `close` waits for its end."""
        task = asyncio.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

"""What a server pushes to a member of a group over WebSocket."""

import asyncio
from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from crossdock.core.errors import AccessDenied, CrossdockError, InvalidArgument, QueueNotFound, StoreUnavailable
from crossdock.core.model import Delivery
from crossdock.wire.json_api import Problem
from crossdock.wire.ws import Credit, Handed

from .feed import Feed
from .http import delivery_of
from .http_errors import told_error
from .ws_connection import Socket, WsConnection

FINAL = (AccessDenied.code, InvalidArgument.code, QueueNotFound.code)
"""Why a server ends a subscription for good."""

_decode = msgspec.json.Decoder(Handed).decode


class WsFeed(Feed):
    """See Feed. A connection is read all the time: so its pings are answered.

    `arrived` gets the deliveries; `lost` is called when a connection has ended, which returns its leases.
    """

    def __init__(
        self,
        connection: WsConnection,
        query: dict[str, str],
        random: Callable[[], float],
        arrived: Callable[[Sequence[Delivery]], None],
        lost: Callable[[], None],
    ) -> None:
        super().__init__(query["queue"], random)
        self._connection = connection
        self._query = query
        self._arrived = arrived
        self._lost = lost
        self._socket: Socket | None = None
        self._end: asyncio.Task[None] | None = None

    def end(self) -> None:
        self._query["credit"] = "0"
        if self._socket is not None:
            self._connection.start(self._connection.tell(self._socket, Credit(0)))

    async def close(self) -> None:
        self._closing = True
        if self._end is None:
            self._end = asyncio.create_task(self._close())
        await asyncio.wait([self._end])

    async def _close(self) -> None:
        if self._socket is not None:
            await self._socket.close()  # Before the cancellation: that would not wait for the server's answer.
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # How it ended, nobody wants to know any more.

    async def _read(self) -> None:
        try:
            self._socket = await self._connection.dial("/ws/subscribe", self._query)
            await self._take_all(self._socket)
        finally:
            self._socket = None
            self._lost()

    async def _take_all(self, socket: Socket) -> None:
        error = "the connection was lost"
        try:
            while True:
                message = await socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise self._why(error, message)
                if message.data.startswith("error: "):
                    error = message.data.removeprefix("error: ")
                elif message.data.startswith('{"message"'):  # else what became of `end`
                    self._take(message.data)
        finally:
            if not self._closing:
                await socket.close()

    def _take(self, text: str) -> None:
        try:
            told = _decode(text).message
        except msgspec.DecodeError as error:
            raise CrossdockError(f"the server does not answer as crossdock does: {error}") from error
        self._works()
        self._arrived([delivery_of(told, self._query.get("consumer", ""))])

    def _why(self, error: str, last: aiohttp.WSMessage) -> CrossdockError:
        """What to raise when the last message is no text."""
        if last.type is aiohttp.WSMsgType.CLOSE and last.extra in FINAL:
            return told_error(0, {}, msgspec.json.encode(Problem(error, str(last.extra))), self._queue, 0)
        return StoreUnavailable(error)

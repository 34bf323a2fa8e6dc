"""What a server pushes to a member of a group over WebSocket."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from crossdock.core.errors import AccessDenied, CrossdockError, InvalidArgument, QueueNotFound, StoreUnavailable
from crossdock.core.model import Delivery
from crossdock.wire.json_api import Problem
from crossdock.wire.ws import Credit, Handed

from .http import delivery_of
from .http_errors import told_error
from .ws_connection import Socket, WsConnection

PAUSE_SECONDS_MIN = 0.1
PAUSE_SECONDS_MAX = 10.0
"""Between two connections: doubled from each to the next, less by up to half (F35: not all clients at once)."""
FINAL = (AccessDenied.code, InvalidArgument.code, QueueNotFound.code)
"""Why a server ends a subscription for good."""

_decode = msgspec.json.Decoder(Handed).decode
_log = logging.getLogger("crossdock.client")


class WsFeed:
    """The connections of one member, see `pushed_member.Feed`. One is read all the time: so its pings are answered.

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
        self._connection = connection
        self._query = query
        self._random = random
        self._arrived = arrived
        self._lost = lost
        self._pause = PAUSE_SECONDS_MIN
        self._task: asyncio.Task[None] | None = None
        self._socket: Socket | None = None
        self._closing: asyncio.Task[None] | None = None

    def run(self) -> None:
        if self._task is None and self._closing is None:
            self._task = asyncio.create_task(self._run())
        elif self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    def end(self) -> None:
        self._query["credit"] = "0"
        if self._socket is not None:
            self._connection.start(self._connection.tell(self._socket, Credit(0)))

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.wait([self._closing])

    async def _close(self) -> None:
        if self._socket is not None:
            await self._socket.close()  # Before the cancellation: that would not wait for the server's answer.
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)  # How it ended, nobody wants to know any more.

    async def _run(self) -> None:
        while self._closing is None:
            try:
                self._socket = await self._connection.dial("/ws/subscribe", self._query)
                await self._read(self._socket)
            except StoreUnavailable as error:
                if self._closing is not None:
                    return
                _log.warning("subscription lost, will connect again: %s", error, extra={"queue": self._query["queue"]})
            finally:
                self._socket = None
                self._lost()
            await asyncio.sleep(self._pause * (1 - self._random() / 2))
            self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)

    async def _read(self, socket: Socket) -> None:
        """Take what comes until the connection ends. Raises what ended it."""
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
            if self._closing is None:
                await socket.close()

    def _take(self, text: str) -> None:
        try:
            told = _decode(text).message
        except msgspec.DecodeError as error:
            raise CrossdockError(f"the server does not answer as crossdock does: {error}") from error
        self._pause = PAUSE_SECONDS_MIN
        self._arrived([delivery_of(told, self._query.get("consumer", ""))])

    def _why(self, error: str, last: aiohttp.WSMessage) -> CrossdockError:
        """What to raise when the last message is no text."""
        if last.type is aiohttp.WSMsgType.CLOSE and last.extra in FINAL:
            return told_error(0, {}, msgspec.json.encode(Problem(error, str(last.extra))), self._query["queue"], 0)
        return StoreUnavailable(error)

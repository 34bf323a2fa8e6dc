"""Serving the door on a port: start, watch, drain, stop."""

import asyncio
from pathlib import Path

from ..shared.listening import Listening
from .connection import Connection
from .connections import Connections
from .door import WsDoor

CONNECTIONS_MAX = 10_000
WATCH_S = 1.0
GRACE_S = 10.0

_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class WsListener(Listening):
    """Serves `door` on one address, inside the running event loop. Signals are the caller's business.

    Port 0 takes a free one. With `tls_cert` and `tls_key`, the paths of PEM files, it speaks wss.
    """

    def __init__(
        self,
        door: WsDoor,
        host: str,
        port: int,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
    ) -> None:
        super().__init__("ws", host, port, tls_cert, tls_key)
        self._door = door
        self._connections = Connections()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        await self._door.open()
        await self.listen(self._accept)
        self._watching = asyncio.create_task(self._watch())

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stop listening, let what is under way be answered for up to `grace_s`, close every connection.

        Returns when the leases of all are given back. A second call does nothing.
        """
        if not await self.stop_listening() or self._watching is None:
            return
        for connection in list(self._connections.all):
            connection.stop()
        try:
            async with asyncio.timeout(grace_s):
                await self._connections.none_left()
        except TimeoutError:
            for connection in list(self._connections.all):
                connection.transport.abort()
            await self._connections.none_left()
        self._watching.cancel()

    def _accept(self) -> asyncio.Protocol:
        if len(self._connections.all) >= CONNECTIONS_MAX:
            return _Refuse()
        return Connection(self._door, self._connections)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_S)
            now = loop.time()
            for connection in list(self._connections.all):
                connection.check_pace(now)


class _Refuse(asyncio.Protocol):
    """What a connection too many gets."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(_TOO_MANY)
        transport.close()

"""Serving an application on a port: start, watch, drain, stop."""

import asyncio
from email.utils import formatdate
from pathlib import Path
from time import time

from starlette.types import ASGIApp
from uvicorn.config import Config

from ..shared.listening import Listening
from .connection import KEEP_ALIVE_S, Connection, Connections

CONNECTIONS_MAX = 10_000
WATCH_S = 1.0
GRACE_S = 10.0
CUT_S = 1.0


class HttpListener(Listening):
    """Serves `app` on one address, inside the running event loop. Signals are the caller's business.

    Port 0 takes a free one. With `tls_cert` and `tls_key`, the paths of PEM files, it speaks HTTPS.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
    ) -> None:
        super().__init__("http", host, port, tls_cert, tls_key)
        self._config = Config(
            app,
            http=Connection,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._state = Connections()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._set_date()
        await self.listen(self._connection)
        self._watching = loop.create_task(self._watch())

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stop listening, let running requests finish for up to `grace_s`, then cut. A second call does nothing."""
        if not await self.stop_listening() or self._watching is None:
            return
        self._watching.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()
        self._state.none_left.clear()
        if self._state.connections:
            try:
                async with asyncio.timeout(grace_s):
                    await self._state.none_left.wait()
            except TimeoutError:
                await self._cut()

    async def _cut(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        if self._state.tasks:  # they see that their client is gone, unless they hang elsewhere
            _, hanging = await asyncio.wait(self._state.tasks, timeout=CUT_S)
            for task in hanging:
                task.cancel()

    def _connection(self) -> asyncio.Protocol:
        if len(self._state.connections) >= CONNECTIONS_MAX:
            return _Refuse()
        return Connection(self._config, self._state, {}, asyncio.get_running_loop())

    async def _watch(self) -> None:
        """Once a second: close the connections of slow clients, set the date that responses carry."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_S)
            self._set_date()
            now = loop.time()
            for connection in list(self._state.connections):
                connection.check_pace(now)

    def _set_date(self) -> None:
        self._state.default_headers = [(b"date", formatdate(time(), usegmt=True).encode())]


class _Refuse(asyncio.Protocol):
    """What a connection too many gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

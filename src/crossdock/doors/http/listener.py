"""Serving an application on a port: start, watch, drain, stop."""

import asyncio
import ssl
from email.utils import formatdate
from pathlib import Path
from time import time

from starlette.types import ASGIApp
from uvicorn.config import Config

from .connection import KEEP_ALIVE_S, Connection, Connections

CONNECTIONS_MAX = 10_000
WATCH_S = 1.0
GRACE_S = 10.0
CUT_S = 1.0


class HttpListener:
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
        self._host = host
        self._port = port
        self._tls = _tls_context(tls_cert, tls_key) if tls_cert else None
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
        self._server: asyncio.Server | None = None
        self._state = Connections()
        self._watching: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use; as given before the start."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - only shown
        return f"{'https' if self._tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._set_date()
        self._server = await loop.create_server(self._connection, self._host, self._port, ssl=self._tls, backlog=2048)
        self._watching = loop.create_task(self._watch())

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stop listening, let running requests finish for up to `grace_s`, then cut. A second call does nothing."""
        if self._server is None or self._watching is None:
            return
        server, self._server = self._server, None
        self._watching.cancel()
        server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        self._state.none_left.clear()
        if self._state.connections:
            try:
                async with asyncio.timeout(grace_s):
                    await self._state.none_left.wait()
            except TimeoutError:
                await self._cut()
        await server.wait_closed()

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


def _tls_context(cert: str | Path, key: str | Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context

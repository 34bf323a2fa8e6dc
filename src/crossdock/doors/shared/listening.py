"""One address that a door listens on."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from .tls import tls_context

_BACKLOG = 2048


def authority(host: str, port: int) -> str:
    """An address as URLs have it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def url_of(scheme: str, host: str, port: int) -> str:
    """Where a client on this machine reaches what listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only shown
    return f"{scheme}://{authority(host, port)}"


class Listening:
    """Listens on `host` and `port`, inside the running event loop; port 0 takes a free one.

    With `tls_cert` and `tls_key`, the paths of PEM files, connections speak TLS, and an `s` ends the scheme of the URL.
    """

    def __init__(self, scheme: str, host: str, port: int, tls_cert: str | Path | None, tls_key: str | Path | None):
        self._scheme = scheme
        self._host = host
        self._port = port
        self._tls = tls_context(tls_cert, tls_key) if tls_cert else None
        self._server: asyncio.Server | None = None

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
        return url_of(f"{self._scheme}{'s' if self._tls else ''}", self._host, self.port)

    async def listen(self, factory: Callable[[], asyncio.BaseProtocol]) -> None:
        """Give each connection a protocol of `factory`. Raises OSError when the address is taken or not ours."""
        self._server = await asyncio.get_running_loop().create_server(
            factory, self._host, self._port, ssl=self._tls, backlog=_BACKLOG
        )

    async def stop_listening(self) -> bool:
        """Accept no more; every connection that was accepted has its protocol then. False when it did not listen."""
        if self._server is None:
            return False
        server, self._server = self._server, None
        loop = asyncio.get_running_loop()
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(3):  # asyncio drops, open, what it accepted but has not handed over when the server closes.
            await asyncio.sleep(0)
        server.close()
        return True

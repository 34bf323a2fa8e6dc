"""The doors that a configuration opens, over one broker."""

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from starlette.routing import Router

from crossdock.broker.broker import Broker
from crossdock.broker.bucket import RateLimit
from crossdock.config import Config, Grpc, Secret
from crossdock.core.errors import CrossdockError
from crossdock.doors.http import HttpListener, create_app, create_metrics_app
from crossdock.doors.http.service import MetricSource
from crossdock.doors.websocket import WsDoor, WsListener

if TYPE_CHECKING:
    from crossdock.doors.grpc import GrpcListener

_log = logging.getLogger("crossdock.server")


class CannotStart(CrossdockError):
    """A door cannot be opened. The text says why."""

    code = "cannot_start"


class Listener(Protocol):
    """One door on its port."""

    @property
    def url(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Doors:
    """The open doors of a server. Their metrics are shown by the HTTP listener, which opens for them if need be."""

    def __init__(self, config: Config, broker: Broker, metrics: Sequence[MetricSource] = ()) -> None:
        self._config = config
        self._metrics = metrics
        self._broker = broker
        self._open: list[Listener] = []
        http = config.http
        self._rate = RateLimit(broker.clock, http.rate_limit, http.rate_burst) if http.rate_limit else None

    @property
    def urls(self) -> list[str]:
        """Where they are reached, the HTTP door first."""
        return [listener.url for listener in self._open]

    async def open(self) -> None:
        """Open what the configuration says. Raises CannotStart; then nothing stays open."""
        try:
            for listener, host, port in self._listeners():
                await _start(listener, host, port)
                self._open.append(listener)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let what is under way finish, and close them all. A second call does nothing."""
        listeners, self._open = self._open, []
        await asyncio.gather(*(listener.stop() for listener in listeners))

    def _listeners(self) -> Iterator[tuple[Listener, str, int]]:
        """Each with its address."""
        http, grpc, ws = self._config.http, self._config.grpc, self._config.ws
        metrics = [*self._metrics]
        rpc = None
        if grpc.enabled:
            rpc = self._grpc(grpc)
            metrics.append(rpc.metrics)
        door = None
        if ws.enabled:
            door = WsDoor(self._broker, self._api(), ws.api_key.reveal(), ws.origins)
            metrics.append(door.metrics)
        if http.enabled:
            _warn_without_key(http.api_key, http.host)
            yield self._http(self._api(http.api_key.reveal(), docs=True, metrics=metrics))
        elif metrics:
            yield self._http(create_metrics_app(self._broker, metrics))
        if rpc is not None:
            _warn_without_key(grpc.api_key, grpc.host)
            yield rpc, grpc.host, grpc.port
        if door is not None:
            _warn_without_key(ws.api_key, ws.host)
            with self._told_of_tls():
                listener = WsListener(door, ws.host, ws.port, http.tls_cert, http.tls_key)
            yield listener, ws.host, ws.port

    def _api(self, api_key: str = "", docs: bool = False, metrics: Sequence[MetricSource] = ()) -> Router:
        """The JSON API. The door in front of it may have asked for the key already."""
        return create_app(
            self._broker,
            api_key=api_key,
            rate=self._rate,
            default_lease=self._config.lease,
            docs=docs,
            metrics=metrics,
        )

    def _http(self, app: Router) -> tuple[Listener, str, int]:
        http = self._config.http
        with self._told_of_tls():
            listener = HttpListener(app, http.host, http.port, http.tls_cert, http.tls_key)
        return listener, http.host, http.port

    def _grpc(self, grpc: Grpc) -> "GrpcListener":
        try:
            from crossdock.doors.grpc import GrpcListener  # noqa: PLC0415 - slow, and an extra
        except ImportError as error:
            raise CannotStart(f"the gRPC door needs the extra crossdock[grpc]: {error}") from error
        http = self._config.http
        with self._told_of_tls():
            return GrpcListener(
                self._broker,
                grpc.host,
                grpc.port,
                api_key=grpc.api_key.reveal(),
                default_lease=self._config.lease,
                tls_cert=http.tls_cert,
                tls_key=http.tls_key,
            )

    @contextmanager
    def _told_of_tls(self) -> Iterator[None]:
        http = self._config.http
        try:
            yield
        except OSError as error:
            raise CannotStart(f"cannot use {http.tls_cert} with {http.tls_key} for TLS: {error.strerror}") from error


async def _start(listener: Listener, host: str, port: int) -> None:
    try:
        await listener.start()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise CannotStart(f"cannot listen on {host}:{port}: {reason}") from error


def _warn_without_key(api_key: Secret, host: str) -> None:
    if not api_key and not _is_loopback(host):
        _log.warning("NO API KEY: whoever reaches %s may read and change every queue", host)


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"

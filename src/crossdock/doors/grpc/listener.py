"""Serving on a port: start, drain, stop; and the services that are not ours, reflection and health."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from crossdock.broker.broker import Broker
from crossdock.core.limits import BATCH_BYTES_MAX
from crossdock.core.model import DEFAULT_NAMESPACE

from ..shared.auth import ApiKey
from ..shared.listening import authority, url_of
from ..shared.tls import tls_context
from .broker_service import BrokerService
from .counters import MethodCounters, Running
from .door import Door
from .interceptors import Auth, ErrorLogging, Logging, Recovery
from .message_queue import MessageQueue
from .queue_service import QueueService
from .subscribing import Subscribing

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

DEFAULT_LEASE_MS = 3000
"""As the JSON API's."""
REQUEST_BYTES_MAX = BATCH_BYTES_MAX + 1024 * 1024
"""A batch with what its messages have beside their bodies."""
STREAMS_MAX = 2000
"""Calls and streams of one connection at once; the client's library holds back the others."""
CALLS_MAX = 20_000
"""Calls and streams of all connections at once."""
CONNECTIONS_MAX = 10_000
PING_AFTER_MS, PING_ANSWER_MS = 60_000, 20_000
"""A connection that says nothing is asked whether its client is there, and closed when it is not."""
CLIENT_PING_MS = 10_000
"""Least time between pings of a client; more of them end its connection."""
GRACE_S = 10.0
SENT_S = 0.2
"""How long the responses of calls that are done may take to be sent by a server that stops."""

OPTIONS = (
    ("grpc.so_reuseport", 0),  # Else a second server on the port would be no error.
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS_MAX),
    ("grpc.keepalive_time_ms", PING_AFTER_MS),
    ("grpc.keepalive_timeout_ms", PING_ANSWER_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", CLIENT_PING_MS),
    ("grpc.http2.max_ping_strikes", 2),
)


class GrpcListener:
    """Serves `broker` on one address, inside the running event loop. The broker is the caller's to open and close.

    Port 0 takes a free one. With `tls_cert` and `tls_key`, the paths of PEM files, it speaks TLS; raises OSError when
    they cannot be used. With `api_key` protected methods ask for it in the metadata `x-api-key`. `default_lease` is in
    ms and holds where neither the request nor the queue says otherwise.
    """

    def __init__(
        self,
        broker: Broker,
        host: str,
        port: int,
        *,
        api_key: str | None = None,
        default_lease: int = DEFAULT_LEASE_MS,
        namespace: str = DEFAULT_NAMESPACE,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._key = ApiKey(api_key)
        self._credentials = _credentials(tls_cert, tls_key or tls_cert) if tls_cert else None
        self._door = Door(broker, default_lease, namespace)
        self._subscribing = Subscribing(self._door)
        self._message_queue = MessageQueue(self._door)
        self._services = (
            QueueService(self._door).service(),
            self._message_queue.service(),
            BrokerService(self._door, self._subscribing).service(),
        )
        self._counters = {
            service.path(operation): MethodCounters(service.path(operation), operation.streaming)
            for service in self._services
            for operation in service.operations
        }
        self._running = Running()
        self._health = health.aio.HealthServicer()
        self._server: aio.Server | None = None

    @property
    def port(self) -> int:
        """The port in use; as given before the start."""
        return self._port

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        return url_of("grpcs" if self._credentials else "grpc", self._host, self._port)

    def metrics(self) -> "Iterator[Metric]":
        """The door's metrics for Prometheus."""
        from .metrics import collect  # noqa: PLC0415 - a start need not wait for the client library

        return collect(list(self._counters.values()), self._running.count)

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        await self._message_queue.open()
        _check_address(self._host, self._port)
        server = aio.server(interceptors=self._interceptors(), options=OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
        server.add_generic_rpc_handlers([service.handler() for service in self._services])
        await self._add_standard(server)
        target = authority(self._host, self._port)
        try:
            if self._credentials is None:
                self._port = server.add_insecure_port(target)
            else:
                self._port = server.add_secure_port(target, self._credentials)
        except RuntimeError as error:  # What the check of the address could not see.
            raise OSError(0, str(error)) from error
        await server.start()
        self._server = server

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stop listening, let running calls finish for up to `grace_s`, then cut. A second call does nothing."""
        server, self._server = self._server, None
        if server is None:
            return
        await self._health.enter_graceful_shutdown()
        self._door.stop()
        self._subscribing.stop()
        stopping = asyncio.ensure_future(server.stop(grace_s))
        waiting = asyncio.ensure_future(self._running.none.wait())
        await asyncio.wait((stopping, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await asyncio.wait((stopping,), timeout=SENT_S)
        await server.stop(None)  # Those who watch the health or reflect would stay until the grace is over.
        await stopping

    def _interceptors(self) -> list[aio.ServerInterceptor]:
        """In the order in which a call passes them."""
        protected = frozenset(
            service.path(operation)
            for service in self._services
            for operation in service.operations
            if operation.protected
        )
        return [Recovery(), Logging(self._counters, self._running), ErrorLogging(), Auth(self._key, protected)]

    async def _add_standard(self, server: aio.Server) -> None:
        names = [service.name for service in self._services]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)


def _check_address(host: str, port: int) -> None:
    """Raise OSError, as gRPC would not, when nobody can listen there."""
    if port:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)


def _credentials(cert: str | Path, key: str | Path) -> grpc.ServerCredentials:
    tls_context(cert, key)  # gRPC would find a fault only when the first client comes.
    return grpc.ssl_server_credentials([(Path(key).read_bytes(), Path(cert).read_bytes())])

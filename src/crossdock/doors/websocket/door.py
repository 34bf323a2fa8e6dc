"""What all connections of the door share, and which session a handshake begins."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from websockets.http11 import Request
from websockets.typing import Origin

from crossdock.broker.broker import Broker
from crossdock.core.errors import CrossdockError
from crossdock.core.model import DEFAULT_NAMESPACE, Address
from crossdock.core.policy import check_queue
from crossdock.wire.json_api_bodies import convert
from crossdock.wire.ws import DEFAULT_QUEUE, Calling, Consuming, Publishing, Subscribing

from ..shared.auth import ApiKey
from .api import Api, App
from .consume import Consume, ConsumeWithAck
from .counters import PathCounters
from .publish import Publish
from .session import Peer, Session
from .subscribe import Subscribe

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

PUBLISH, CONSUME, SUBSCRIBE, API = PATHS = ("/ws/publish", "/ws/consume", "/ws/subscribe", "/ws/api")


class Refused(Exception):
    """A handshake that is answered with an HTTP status and a sentence."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class WsDoor:
    """The WebSocket door over `broker`, which is the caller's to open and close.

    `app` serves the JSON API, to whoever comes in here. With `api_key` every handshake must bring it in `X-API-Key`;
    web pages may connect only from `origins`.
    """

    def __init__(
        self,
        broker: Broker,
        app: App,
        api_key: str | None = None,
        origins: Sequence[str] = (),
        namespace: str = DEFAULT_NAMESPACE,
    ) -> None:
        self.broker = broker
        self.origins = [None, *map(Origin, origins)]
        self._app = app
        self._key = ApiKey(api_key)
        self._namespace = namespace
        self.counters = {path: PathCounters(path) for path in PATHS}
        self.refused: dict[int, int] = {}

    async def open(self) -> None:
        """Make sure of the queue that clients mean who name none."""
        await self.broker.create_queue((self._namespace, DEFAULT_QUEUE))

    def metrics(self) -> "Iterator[Metric]":
        """The door's metrics for Prometheus."""
        from .metrics import collect  # noqa: PLC0415 - a start need not wait for the client library

        return collect(list(self.counters.values()), self.refused)

    def refuse(self, status: int) -> None:
        """Count a handshake that was refused."""
        self.refused[status] = self.refused.get(status, 0) + 1

    def begin(self, request: Request, peer: Peer) -> Session:
        """The session that a handshake asks for. Raises Refused."""
        key = next(iter(request.headers.get_all("X-API-Key")), "")
        if self._key.needed and not self._key.fits(key.encode()):
            raise Refused(HTTPStatus.UNAUTHORIZED, "X-API-Key must be the key of this server")
        if self.broker.room.closed:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping")
        target = urlsplit(request.path)
        counters = self.counters.get(target.path)
        if counters is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"path must be one of {', '.join(PATHS)}")
        try:
            peer.counters = counters
            return self._session(target.path, dict(parse_qsl(target.query, keep_blank_values=True)), peer)
        except CrossdockError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from error

    def _session(self, path: str, query: dict[str, str], peer: Peer) -> Session:
        if path == API:
            convert(query, Calling)
            return Api(peer, self._app)
        if path == PUBLISH:
            return Publish(peer, self.broker, self._address(convert(query, Publishing).queue))
        if path == CONSUME:
            consuming = convert(query, Consuming)
            kind = ConsumeWithAck if consuming.ack else Consume
            return kind(peer, self.broker, self._address(consuming.queue), consuming)
        subscribing = convert(query, Subscribing)
        return Subscribe(peer, self.broker, self._address(subscribing.queue), subscribing)

    def _address(self, queue: str) -> Address:
        return (self._namespace, check_queue(queue))

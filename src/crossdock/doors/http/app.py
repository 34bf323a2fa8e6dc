"""The ASGI application: every route, in a Starlette router."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Match, Route, Router
from starlette.types import Receive, Scope, Send

from crossdock.broker.broker import Broker
from crossdock.broker.bucket import RateLimit
from crossdock.core.model import DEFAULT_NAMESPACE

from ..shared.auth import ApiKey
from .counters import RouteCounters
from .dead_letters import DeadLetterRoutes
from .docs import Docs
from .door import Door
from .endpoint import Endpoint
from .groups import Groups
from .looking import Looking
from .openapi import OpenApi
from .operation import Operation
from .queues import Queues
from .receiving import Receiving
from .sending import Sending
from .service import MetricSource, Service
from .settling import Settling

DEFAULT_LEASE_MS = 3000
"""The native API's own default, shorter than the server's."""


class ApiRoute(Route):
    """A route whose endpoint sees to methods itself. Every message passes here: it does what is needed and no more."""

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        super().__init__(path, endpoint)
        self.handle = endpoint.__call__  # type: ignore[method-assign]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        match = self.path_regex.match(scope["path"].removeprefix(scope.get("root_path", "")))
        if match is None:
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self.endpoint, "path_params": match.groupdict()}


class Segment(Convertor[str]):
    """Any text, so that a name with a slash in it is refused by its rule rather than not found."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("segment", Segment())


def create_app(
    broker: Broker,
    *,
    api_key: str | None = None,
    rate: RateLimit | None = None,
    default_lease: int = DEFAULT_LEASE_MS,
    namespace: str = DEFAULT_NAMESPACE,
    docs: bool = True,
    metrics: Sequence[MetricSource] = (),
) -> Router:
    """The HTTP door over `broker`, to be served by HttpListener or mounted in an ASGI application.

    With `api_key` the protected routes ask for it in `X-API-Key`. `rate` counts requests to /api by client address.
    `default_lease` is in ms and holds where neither the request nor the queue says otherwise. `docs` opens
    /openapi.json and /docs; `metrics` are shown beside the door's own. The broker is the caller's to open and close.
    """
    door = Door(broker, ApiKey(api_key), rate, default_lease, namespace)
    counters: list[RouteCounters] = []
    operations = _operations(door, counters, metrics)
    if docs:
        described, page = OpenApi(_version(), bool(api_key)), Docs()
        operations += [*described.operations(), *page.operations()]
        described.describe(operations)
        operations = [*operations, *page.files()]
    return _router(door, operations, counters)


def create_metrics_app(broker: Broker, metrics: Sequence[MetricSource] = ()) -> Router:
    """Health and metrics alone, for a server whose HTTP door is shut."""
    door = Door(broker, ApiKey(None), None, DEFAULT_LEASE_MS, DEFAULT_NAMESPACE)
    counters: list[RouteCounters] = []
    return _router(door, Service(door, counters, metrics).operations(), counters)


def _operations(door: Door, counters: list[RouteCounters], metrics: Sequence[MetricSource]) -> list[Operation]:
    """The API, in the order of its documentation."""
    groups = (
        Sending(door),
        Receiving(door),
        Settling(door),
        Looking(door),
        DeadLetterRoutes(door),
        Queues(door),
        Groups(door),
        Service(door, counters, metrics),
    )
    return [operation for group in groups for operation in group.operations()]


def _router(door: Door, operations: list[Operation], counters: list[RouteCounters]) -> Router:
    paths: dict[str, list[Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, []).append(operation)
    routes = []
    for path in sorted(paths, key=_precedence):
        endpoint = Endpoint(door, paths[path])
        counters.append(endpoint.counters)
        routes.append(ApiRoute(path, endpoint))
    missing = Endpoint(door, [])
    counters.append(missing.counters)

    async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await missing(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    return Router(routes, redirect_slashes=False, default=not_found)


HOT = ("/enqueue", "/dequeue", "/ack", "/nack")


def _precedence(path: str) -> tuple[bool, int]:
    """Routes are tried in this order: those of every message, then the longer before the shorter ones.

    A name matches any text, so `{queue}/dlq/delete` must be tried before `{queue}/delete`.
    """
    return (not path.endswith(HOT), -path.count("/"))


def _version() -> str:
    try:
        return version("crossdock")
    except PackageNotFoundError:  # run from a source tree
        return "0"

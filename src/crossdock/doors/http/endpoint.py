"""One path: method, rate, key, name, body, handler, response, in this order. A plain ASGI application."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

from msgspec.json import Decoder
from starlette.types import Receive, Scope, Send

from crossdock.core.errors import CrossdockError
from crossdock.core.model import Address
from crossdock.wire.json_api_bodies import convert, decode

from . import errors
from .counters import RouteCounters
from .door import Door
from .operation import Operation
from .request import Call, Disconnected, read_body

_log = logging.getLogger("crossdock.http")

Headers = dict[bytes, bytes]


class Endpoint:
    """Serves the operations of one path."""

    def __init__(self, door: Door, operations: Sequence[Operation]) -> None:
        self._door = door
        self._methods = {operation.method: _Method(door, operation) for operation in operations}
        if "GET" in self._methods:
            self._methods["HEAD"] = self._methods["GET"]
        self._otherwise = errors.wrong_method(tuple(self._methods)) if operations else errors.NO_SUCH_ROUTE
        self.counters = RouteCounters(operations[0].template if operations else "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers: Headers = dict(scope["headers"])
        request_id = self._door.ids.of(headers.get(b"x-request-id"))
        method = self._methods.get(scope["method"])
        try:
            if method is None:
                answer = self._otherwise
            elif not method.admits(scope, headers):
                answer = errors.UNAUTHORIZED
            else:
                address = method.address(scope)
                body = b""
                if method.bytes_max:
                    body = await read_body(receive, headers.get(b"content-length"), method.bytes_max)
                answer = await method.handle(Call(address, method.request(scope, body), scope, receive))
        except CrossdockError as error:
            answer = errors.refusal(error, request_id)
        except Disconnected:
            return
        except Exception as error:
            answer = errors.failure(error, request_id)
        await answer.respond(scope, send, request_id)
        seconds = perf_counter() - started
        self.counters.count(scope["method"] if method is not None else "other", answer.status, seconds)
        if _log.isEnabledFor(logging.DEBUG):
            self._tell(scope, answer.status, seconds, request_id)

    def _tell(self, scope: Scope, status: int, seconds: float, request_id: bytes) -> None:
        _log.debug(
            "%s %s %d",
            scope["method"],
            self.counters.route,
            status,
            extra={"request_id": request_id.decode(), "ms": round(seconds * 1000, 3)},
        )


class _Method:
    """One operation, made ready to serve."""

    def __init__(self, door: Door, operation: Operation) -> None:
        self._door = door
        self._rate = door.rate if operation.limited else None
        self._key = door.key if operation.protected and door.key.needed else None
        self._decoder: Decoder[Any] | None = Decoder(operation.request) if operation.request is not None else None
        self._operation = operation
        self._names_queue = "{queue}" in operation.template
        self.handle = operation.handle
        self.bytes_max = operation.bytes_max if self._decoder is not None else 0
        """Bytes of a body to read; 0: none is looked at."""

    def admits(self, scope: Scope, headers: Headers) -> bool:
        """Whether the caller has the key, when one is needed. Raises RateLimited."""
        if self._rate is not None:
            self._rate.take(scope["client"][0] if scope["client"] else "")
        return self._key is None or self._key.fits(headers.get(b"x-api-key"))

    def address(self, scope: Scope) -> Address:
        """The queue that the path names. Raises InvalidArgument."""
        if self._names_queue:
            return self._door.address(scope["path_params"]["queue"])
        return (self._door.namespace, "")

    def request(self, scope: Scope, body: bytes) -> Any:
        """The body or the query string as its type; None where there is neither. Raises Malformed."""
        operation = self._operation
        if self._decoder is not None:
            return operation.request() if operation.optional and not body else decode(self._decoder, body)
        if operation.query is not None:
            return convert(dict(parse_qsl(scope["query_string"].decode("latin-1"))), operation.query)
        return None

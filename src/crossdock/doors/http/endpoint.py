"""One path: method, rate, key, body, handler, response, in this order. A plain ASGI application."""

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

from msgspec.json import Decoder
from starlette.types import Receive, Scope, Send

from crossdock.core.errors import CrossdockError
from crossdock.wire.json_api_bodies import convert, decode

from . import errors
from .answer import Answer, respond
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
            answer = await method.answer(scope, receive, headers) if method is not None else self._otherwise
        except CrossdockError as error:
            answer = errors.refusal(error, request_id)
        except Disconnected:
            return
        except Exception as error:
            answer = errors.failure(error, request_id)
        await respond(send, answer, request_id)
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
        self._key = door.key if operation.protected else None
        self._decoder: Decoder[Any] | None = Decoder(operation.request) if operation.request is not None else None
        self._operation = operation

    async def answer(self, scope: Scope, receive: Receive, headers: Headers) -> Answer:
        operation = self._operation
        if self._rate is not None:
            self._rate.take(scope["client"][0] if scope["client"] else "")
        if self._key is not None and not self._key.fits(headers.get(b"x-api-key")):
            return errors.UNAUTHORIZED
        request: Any = None
        if self._decoder is not None:
            body = await read_body(receive, headers.get(b"content-length"), operation.bytes_max)
            request = operation.request() if operation.optional and not body else decode(self._decoder, body)
        elif operation.query is not None:
            request = convert(dict(parse_qsl(scope["query_string"].decode("latin-1"))), operation.query)
        name = scope["path_params"].get("queue")
        address = self._door.address(name) if name is not None else (self._door.namespace, "")
        return await operation.handle(Call(address, request, scope, receive))

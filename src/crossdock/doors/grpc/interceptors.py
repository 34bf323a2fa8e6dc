"""What every call passes, outermost first: recovery, logging, error logging, the API key."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode, aio

from crossdock.wire.protos.metadata import API_KEY, CODE, REQUEST_ID

from ..shared.auth import ApiKey
from ..shared.request_ids import RequestIds
from .counters import MethodCounters, Running
from .errors import Refused, code_of, log_fault, request_id, status_of, text_of
from .operation import Context, write

Call = Callable[[Any, Context], Awaitable[Any]]
"""A method's behaviour: of a request, or of the iterator of its requests."""
Handler = Any
"""A grpc.RpcMethodHandler: its class and its fields are not public."""

_log = logging.getLogger("crossdock.grpc")
_ids = RequestIds()


class Interceptor(aio.ServerInterceptor):
    """Wraps each method when it is called first; later calls find it done."""

    def __init__(self) -> None:
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        found = self._wrapped.get(method)
        if found is None:
            found = await continuation(handler_call_details)
            if found is not None:  # None: there is no such method
                found = self._wrapped[method] = self._wrap(method, found)
        return found

    def _wrap(self, method: str, handler: Handler) -> Handler:
        return _remade(handler, self.around(method, _behaviour(handler)), handler.request_deserializer)

    def around(self, method: str, call: Call) -> Call:
        """The behaviour of a method, with something around it."""
        raise NotImplementedError


class Recovery(Interceptor):
    """Whatever goes wrong ends as a status: a fault of ours as INTERNAL, never with its text."""

    def _wrap(self, method: str, handler: Handler) -> Handler:
        # gRPC would tell the caller of a request that it cannot read in the words of the exception.
        read = handler.request_deserializer
        call = self.around(method, _reading(_behaviour(handler), read, handler.request_streaming))
        return _remade(handler, call, None)

    def around(self, method: str, call: Call) -> Call:
        async def recovered(request: Any, context: Context) -> Any:
            request_id.set(_ids.of(_metadata(context, REQUEST_ID)).decode())
            try:
                return await call(request, context)
            except aio.AbortError:
                raise
            except Exception as error:
                told = [(REQUEST_ID, request_id.get())]
                code = code_of(error)
                if code:
                    told.append((CODE, code))
                try:
                    await context.abort(status_of(error), text_of(error), tuple(told))
                except aio.InternalError as gone:
                    raise asyncio.CancelledError from gone

        return recovered


class Logging(Interceptor):
    """Counts every call of `counted`, and logs it at level debug."""

    def __init__(self, counted: Mapping[str, MethodCounters], running: Running) -> None:
        super().__init__()
        self._counted = counted
        self._running = running

    def around(self, method: str, call: Call) -> Call:
        counters = self._counted.get(method)
        if counters is None:
            return call
        running = self._running

        async def logged(request: Any, context: Context) -> Any:
            running.begin()
            started = perf_counter()
            status = StatusCode.OK
            try:
                return await call(request, context)
            except asyncio.CancelledError:
                status = StatusCode.CANCELLED
                raise
            except Exception as error:
                status = status_of(error)
                raise
            finally:
                running.end()
                seconds = perf_counter() - started
                counters.count(status, seconds)
                if _log.isEnabledFor(logging.DEBUG):
                    about = {"request_id": request_id.get(), "ms": round(seconds * 1000, 3)}
                    _log.debug("%s %s", method, status.name, extra=about)

        return logged


class ErrorLogging(Interceptor):
    """Logs what is no mistake of the caller."""

    def around(self, method: str, call: Call) -> Call:
        async def watched(request: Any, context: Context) -> Any:
            try:
                return await call(request, context)
            except aio.AbortError:
                raise
            except Exception as error:
                log_fault(error)
                raise

        return watched


class Auth(Interceptor):
    """Asks for the API key, in the metadata `x-api-key`, where a method is protected."""

    def __init__(self, key: ApiKey, protected: frozenset[str]) -> None:
        super().__init__()
        self._key = key
        self._protected = protected

    def around(self, method: str, call: Call) -> Call:
        if not self._key.needed or method not in self._protected:
            return call

        async def admitted(request: Any, context: Context) -> Any:
            if not self._key.fits(_metadata(context, API_KEY)):
                raise Refused(StatusCode.UNAUTHENTICATED, "the metadata x-api-key must be the key of this server")
            return await call(request, context)

        return admitted


def _behaviour(handler: Handler) -> Call:
    """What a handler does, as a coroutine function whatever its kind."""
    call = handler.stream_stream or handler.unary_stream or handler.stream_unary or handler.unary_unary
    if not inspect.isasyncgenfunction(call):
        found: Call = call
        return found

    async def write_all(request: Any, context: Context) -> None:
        async for response in call(request, context):
            await write(context, response)

    return write_all


def _remade(handler: Handler, call: Call, read: Callable[[bytes], Any] | None) -> Handler:
    """A handler of the same kind that does something else."""
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(call, read, handler.response_serializer)


def _reading(call: Call, read: Callable[[bytes], Any], streaming: bool) -> Call:
    """A behaviour that takes requests as bytes."""

    async def read_all(requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for request in requests:
            yield _read(read, request)

    async def reading(request: Any, context: Context) -> Any:
        return await call(read_all(request) if streaming else _read(read, request), context)

    return reading


def _read(read: Callable[[bytes], Any], request: bytes) -> Any:
    try:
        return read(request)
    except DecodeError:
        raise Refused(StatusCode.INVALID_ARGUMENT, "the request must be a message of this method's type") from None


def _metadata(context: Context, name: str) -> bytes | None:
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return value.encode() if isinstance(value, str) else value
    return None

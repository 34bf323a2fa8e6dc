"""A method as data: its name, what serves it, its messages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import grpc
from grpc import aio
from msgspec import Struct

if TYPE_CHECKING:
    Context = aio.ServicerContext[Any, Any]
else:
    Context = aio.ServicerContext
Unary = Callable[[Any], Awaitable[Any]]
"""A request in, a response out."""
Streaming = Callable[[AsyncIterator[Any], Context], Awaitable[None]]
"""A stream of requests in; responses are written to the context."""


class Operation(Struct, frozen=True):
    """One method of a service."""

    name: str
    handle: Unary | Streaming
    request: type[Any]
    response: type[Any]
    protected: bool = True
    """Whether the API key is asked for."""
    streaming: bool = False


class Service(Struct, frozen=True):
    """A service by its full name."""

    name: str
    operations: Sequence[Operation]

    def path(self, operation: Operation) -> str:
        """How a call names the method."""
        return f"/{self.name}/{operation.name}"

    def handler(self) -> grpc.GenericRpcHandler:
        """What the server is given."""
        methods = {operation.name: _method(operation) for operation in self.operations}
        return grpc.method_handlers_generic_handler(self.name, methods)


async def write(context: Context, response: Any) -> None:
    """Write to a stream. A client that is gone counts as one that cancelled the call."""
    try:
        await context.write(response)
    except aio.InternalError as error:
        raise asyncio.CancelledError from error


def _method(operation: Operation) -> "grpc.RpcMethodHandler[Any, Any]":
    messages = (operation.request.FromString, operation.response.SerializeToString)
    if operation.streaming:
        return grpc.stream_stream_rpc_method_handler(operation.handle, *messages)
    handle: Any = operation.handle

    async def unary(request: Any, context: Context) -> Any:
        return await handle(request)

    return grpc.unary_unary_rpc_method_handler(unary, *messages)

"""The gRPC door on a real socket, over a broker whose time the test moves, and a client that knows it by reflection."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from crossdock.broker.broker import Broker
from crossdock.broker.runtime import AsyncRuntime
from crossdock.core.model import DEFAULT_NAMESPACE, Message
from crossdock.doors.grpc import GrpcListener
from crossdock.storage.base import Store
from crossdock.testing.clock import VirtualClock

GROUP, CONSUMER = "workers", "worker-1"
QUEUE_SERVICE, MESSAGE_QUEUE, BROKER = "queue.v1.QueueService", "messagequeue.MessageQueue", "crossdock.v1.Broker"
SERVICES = (QUEUE_SERVICE, MESSAGE_QUEUE, BROKER, "grpc.health.v1.Health")


class Reflected:
    """A client of one server that has no generated code: what it knows is what the server's reflection tells."""

    def __init__(self, target: str, services: Sequence[str] = SERVICES) -> None:
        with grpc.insecure_channel(target) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            self.services = database.get_services()
            pool = DescriptorPool(database)
            found = [pool.FindServiceByName(name) for name in services]
            self.methods = {f"{each.full_name}/{method.name}": method for each in found for method in each.methods}

    def types(self, path: str) -> tuple[Any, Any]:
        """The request and the response of a method."""
        method = self.methods[path]
        return GetMessageClass(method.input_type), GetMessageClass(method.output_type)

    def unary(self, channel: aio.Channel, path: str, fields: dict[str, Any], **options: Any) -> Any:
        """A call with a request written as JSON would be."""
        request, response = self.types(path)
        callable_ = channel.unary_unary(
            f"/{path}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return callable_(ParseDict(fields, request()), **options)

    def stream(self, channel: aio.Channel, path: str, **options: Any) -> "Stream":
        """A stream in both directions."""
        request, response = self.types(path)
        callable_ = channel.stream_stream(
            f"/{path}", request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return Stream(callable_(**options), request)


class Stream:
    """A stream whose requests are written as JSON would be."""

    def __init__(self, call: Any, request: Any) -> None:
        self.call = call
        self._request = request

    async def write(self, fields: dict[str, Any]) -> None:
        await self.call.write(ParseDict(fields, self._request()))

    async def read(self) -> Any:
        """The next response; raises the status when there is none."""
        response = await self.call.read()
        if response is aio.EOF:
            raise AssertionError("the stream has ended")
        return response

    async def ended(self) -> grpc.StatusCode:
        """Read to the end; the status."""
        try:
            while await self.call.read() is not aio.EOF:
                continue
        except aio.AioRpcError as error:
            return error.code()
        code: grpc.StatusCode = await self.call.code()
        return code


class GrpcDoor:
    """A listener on a free port, its broker, and a client. To be used as an async context manager."""

    def __init__(self, store: Store, api_key: str | None = None, **options: Any) -> None:
        self.clock = VirtualClock()
        self._store = store
        self.api_key = api_key
        self._options = options

    async def __aenter__(self) -> "GrpcDoor":
        self.broker = Broker(self._store, AsyncRuntime(self.clock))
        await self.broker.open()
        self.listener = GrpcListener(self.broker, "127.0.0.1", 0, api_key=self.api_key, **self._options)
        await self.listener.start()
        self.target = f"127.0.0.1:{self.listener.port}"
        self.client = await asyncio.to_thread(Reflected, self.target)
        self.channel = aio.insecure_channel(self.target)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.channel.close()
        await self.listener.stop(1)
        await self.broker.close()

    async def call(
        self, method: str, service: str = QUEUE_SERVICE, /, key: str | None = None, timeout: float = 20, **fields: Any
    ) -> Any:
        """Call a unary method; raises AioRpcError."""
        given = self.api_key if key is None else key
        metadata = (("x-api-key", given),) if given else ()
        path = f"{service}/{method}"
        return await self.client.unary(self.channel, path, fields, metadata=metadata, timeout=timeout)

    async def refused(self, method: str, service: str = QUEUE_SERVICE, /, **fields: Any) -> aio.AioRpcError:
        """Call a unary method that must fail."""
        try:
            response = await self.call(method, service, **fields)
        except aio.AioRpcError as error:
            return error
        raise AssertionError(f"{method} succeeded: {response}")

    async def create(self, queue: str = "q") -> None:
        assert (await self.call("CreateQueue", queue_name=queue)).status == "created"

    async def enqueue(self, message: str, queue: str = "q", **options: Any) -> int:
        """Store a message; returns its id."""
        return int((await self.call("Enqueue", queue_name=queue, message=message, **options)).id)

    async def take(self, queue: str = "q", group: str = GROUP, **options: Any) -> Any:
        """Lease a message, which must be there."""
        response = await self.call("Dequeue", queue_name=queue, group=group, consumer_id=CONSUMER, **options)
        assert response.status == "dequeued"
        return response.message

    async def settle(self, verb: str, message: Any, queue: str = "q", group: str = GROUP, **options: Any) -> str:
        """Answer a delivery; returns the status."""
        told = await self.call(verb, **self.about(message, queue, group), **options)
        return str(told.status)

    @staticmethod
    def about(message: Any, queue: str = "q", group: str = GROUP) -> dict[str, Any]:
        """The fields that name a delivery."""
        return {"queue_name": queue, "group": group, "message_id": message.id, "receipt": message.receipt}

    async def send(self, body: bytes, queue: str = "q") -> None:
        """Store a message as the Python API does."""
        await self.broker.send((DEFAULT_NAMESPACE, queue), [Message(body)])

    async def until_waiting(self, count: int = 1) -> None:
        """Let the loop turn until so many receives wait."""
        while self.broker.room.members < count:
            await asyncio.sleep(0)


def trailing(error: aio.AioRpcError) -> dict[str, Any]:
    """The trailing metadata of a call that failed."""
    return dict(error.trailing_metadata() or ())

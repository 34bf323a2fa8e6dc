"""One server over gRPC: calls, their deadlines, and what goes wrong on the way."""

from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import Message
from grpc import StatusCode, aio

from crossdock.core.errors import AccessDenied, CrossdockError, InvalidArgument, QueueClosed, StoreUnavailable
from crossdock.wire.json_api import Problem
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos.metadata import API_KEY, CODE, REQUEST_ID

from .http_errors import problem_error

R = TypeVar("R", bound=Message)

ANSWER_SECONDS = 10
"""How long the server may be silent beyond the time that the request itself asks to wait."""
PING_MS, PING_ANSWER_MS = 20_000, 10_000
"""A silent connection with calls under way is tested so often, and lost without an answer in time."""
RECONNECT_MS_MIN, RECONNECT_MS_MAX = 100, 3000
"""Between two tries to connect: longer from each to the next, with jitter (F35)."""
OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # As much as was asked for.
    ("grpc.keepalive_time_ms", PING_MS),
    ("grpc.keepalive_timeout_ms", PING_ANSWER_MS),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS_MIN),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS_MAX),
    ("grpc.use_local_subchannel_pool", 1),  # A connection of its own, closed with it.
    ("grpc.enable_http_proxy", 0),
)
SERVICE = "/crossdock.v1.Broker/"
_NO_ANSWER = (
    StatusCode.UNAVAILABLE,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.CANCELLED,
    StatusCode.INTERNAL,
    StatusCode.UNKNOWN,
)
"""What the library reports of a connection that is lost. The server's own errors come with the id of the call."""


class GrpcConnection:
    """Calls the methods of one server. To be used in one event loop."""

    def __init__(self, url: str, api_key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("grpc", "grpcs") or not parts.hostname or not _has_port(url) or "@" in parts.netloc:
            raise InvalidArgument("url", parts.hostname, "must be grpc://HOST:PORT without a user or password")
        if parts.path.strip("/"):
            raise InvalidArgument("url", parts.path, "must be grpc://HOST:PORT without a path")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._target = parts.netloc
        self._credentials = grpc.ssl_channel_credentials() if parts.scheme == "grpcs" else None
        self._metadata = ((API_KEY, api_key),) if api_key else ()
        self._channel: aio.Channel | None = None
        self._methods: dict[str, Any] = {}

    def open(self) -> None:
        """Bind to the running event loop."""
        if self._credentials is None:
            self._channel = aio.insecure_channel(self._target, OPTIONS)
        else:
            self._channel = aio.secure_channel(self._target, self._credentials, OPTIONS)

    async def close(self) -> None:
        """Close what is open. A second call does nothing."""
        channel, self._channel = self._channel, None
        self._methods.clear()
        if channel is not None:
            await channel.close()

    async def call(
        self, method: str, request: Message, response: type[R], queue: str = "", message_id: int = 0, wait: int = 0
    ) -> R:
        """Call a method. `queue` and `message_id` are what it is about, `wait` (ms) is how long it may take.

        Raises what the server tells of; StoreUnavailable when it does not answer.
        """
        callable_ = self._methods.get(method)
        if callable_ is None:
            callable_ = self._methods[method] = self._open_channel.unary_unary(
                SERVICE + method,
                request_serializer=type(request).SerializeToString,
                response_deserializer=response.FromString,
            )
        try:
            answer: R = await callable_(request, timeout=wait / 1000 + ANSWER_SECONDS, metadata=self._metadata)
        except aio.AioRpcError as error:
            raise self.told(error, queue, message_id) from error
        except aio.UsageError as error:  # The channel was closed meanwhile.
            raise QueueClosed("the connection is closed") from error
        return answer

    def subscribe(self) -> "aio.StreamStreamCall[pb.SubscribeRequest, pb.SubscribeResponse]":
        """A stream to a server that answers, as soon as there is one."""
        callable_: Any = self._open_channel.stream_stream(
            SERVICE + "Subscribe",
            request_serializer=pb.SubscribeRequest.SerializeToString,
            response_deserializer=pb.SubscribeResponse.FromString,
        )
        call: aio.StreamStreamCall[pb.SubscribeRequest, pb.SubscribeResponse]
        call = callable_(metadata=self._metadata, wait_for_ready=True)
        return call

    @property
    def _open_channel(self) -> aio.Channel:
        if self._channel is None:
            raise QueueClosed("the connection is not open")
        return self._channel

    def told(self, error: aio.AioRpcError, queue: str, message_id: int = 0) -> CrossdockError:
        """The exception that the status of a call tells of."""
        told = {str(name): str(value) for name, value in error.trailing_metadata() or ()}
        text, trace = error.details() or error.code().name, told.get(REQUEST_ID, "")
        if CODE in told:
            return problem_error(Problem(text, told[CODE], trace), queue, message_id)
        if error.code() is StatusCode.UNAUTHENTICATED:
            return AccessDenied("the server asks for another API key")
        if error.code() in _NO_ANSWER and not trace:
            return StoreUnavailable(f"{self.url} did not answer, the outcome is unknown: {text}")
        return problem_error(Problem(f"{error.code().name}: {text}", "", trace), queue, message_id)


def _has_port(url: str) -> bool:
    try:
        return bool(urlsplit(url).port)
    except ValueError:  # no number, or too large a one
        return False

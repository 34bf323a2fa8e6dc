"""A connection, and how it is opened."""

from collections.abc import Generator
from types import TracebackType
from typing import Unpack

from crossdock.core.durations import Duration
from crossdock.core.errors import QueueClosed
from crossdock.core.model import DEFAULT_GROUP, DEFAULT_NAMESPACE, Settings

from .. import base
from ..embedding import Defaults, embedding
from ..opening import Opener, opener
from ..settings import Options, settings_with
from ..transport import Transport
from .queue import Queue
from .topic import Topic


class Connection:
    """An open connection. Made by `connect`; use it in `async with`, or `await` it and `close` it."""

    def __init__(self, open_transport: Opener, namespace: str) -> None:
        self._open_transport = open_transport
        self._transport: Transport | None = None
        self.namespace = namespace
        self._closing = False
        self.closed = False

    @property
    def transport(self) -> Transport:
        """The verbs under the Queue objects. Raises QueueClosed before the opening and after the close."""
        if self._transport is None or self.closed:
            raise QueueClosed("the connection is not open")
        return self._transport

    def queue(self, name: str, **options: Unpack[Options]) -> Queue:
        """A queue by name; `options` are its settings if its first use creates it."""
        return Queue(self, name, DEFAULT_GROUP, settings_with(Settings(), options))

    def topic(self, name: str, **options: Unpack[Options]) -> Topic:
        """A topic by name: it hands messages to the subscribers that exist, and keeps none for later ones."""
        return Topic(self, name, DEFAULT_GROUP, settings_with(Settings(kind="topic"), options))

    async def get_queue(self, name: str) -> Queue:
        """The queue of that name. Raises QueueNotFound when there is none, or it is a topic."""
        settings = await base.settings_of(self.transport, (self.namespace, name), "queue")
        return Queue(self, name, DEFAULT_GROUP, settings, exists=True)

    async def get_topic(self, name: str) -> Topic:
        """The topic of that name. Raises QueueNotFound when there is none, or it is a queue."""
        settings = await base.settings_of(self.transport, (self.namespace, name), "topic")
        return Topic(self, name, DEFAULT_GROUP, settings, exists=True)

    async def queues(self) -> list[str]:
        """Names of the queues of the namespace that are not topics."""
        return await base.names_of(self.transport, self.namespace, "queue")

    async def topics(self) -> list[str]:
        """Names of the topics of the namespace."""
        return await base.names_of(self.transport, self.namespace, "topic")

    async def close(self, timeout: Duration | None = None) -> None:
        """Close the connection. A second call does nothing.

        Nothing new is accepted or handed out; waiting receives return empty. Deliveries of subscriptions may be
        answered until `timeout` is over, and are given back then.
        """
        if self._transport is not None and not self._closing:
            grace = base.wait_ms(timeout, "timeout")
            self._closing = True
            try:
                await self._transport.close(grace)
            finally:
                self.closed = True

    async def __aenter__(self) -> "Connection":
        if self._transport is None:
            self._transport = await self._open_transport()
        return self

    def __await__(self) -> Generator[object, None, "Connection"]:
        return self.__aenter__().__await__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def connect(
    url: str | None = None,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    api_key: str | None = None,
    defaults: Defaults | None = None,
    max_body_bytes: int | None = None,
    metrics_interval: Duration | None = None,
) -> Connection:
    """Connect to a store in this process or to a server, see `crossdock.connect`."""
    url, embedded = embedding(url, defaults, max_body_bytes, metrics_interval)
    return Connection(opener(url, api_key, embedding=embedded), namespace)

"""A connection, and how it is opened."""

from types import TracebackType
from typing import Unpack

from crossdock.broker import ThreadRuntime, drive
from crossdock.core.durations import Duration
from crossdock.core.model import DEFAULT_GROUP, DEFAULT_NAMESPACE, Settings

from .. import base
from ..embedding import Defaults, embedding
from ..loop_thread import LoopThread, Runner
from ..opening import open_in_thread, opener
from ..settings import Options, settings_with
from ..transport import Transport
from .queue import Queue
from .topic import Topic


class Connection:
    """An open connection. Made by `connect`."""

    def __init__(self, transport: Transport, run: Runner, thread: LoopThread | None, namespace: str) -> None:
        self.transport = transport
        self.run = run
        self._thread = thread
        self.namespace = namespace
        self._closing = False
        self.closed = False

    def queue(self, name: str, **options: Unpack[Options]) -> Queue:
        """A queue by name; `options` are its settings if its first use creates it."""
        return Queue(self, name, DEFAULT_GROUP, settings_with(Settings(), options))

    def topic(self, name: str, **options: Unpack[Options]) -> Topic:
        """A topic by name: it hands messages to the subscribers that exist, and keeps none for later ones."""
        return Topic(self, name, DEFAULT_GROUP, settings_with(Settings(kind="topic"), options))

    def get_queue(self, name: str) -> Queue:
        """The queue of that name. Raises QueueNotFound when there is none, or it is a topic."""
        settings = self.run(base.settings_of(self.transport, (self.namespace, name), "queue"))
        return Queue(self, name, DEFAULT_GROUP, settings, exists=True)

    def get_topic(self, name: str) -> Topic:
        """The topic of that name. Raises QueueNotFound when there is none, or it is a queue."""
        settings = self.run(base.settings_of(self.transport, (self.namespace, name), "topic"))
        return Topic(self, name, DEFAULT_GROUP, settings, exists=True)

    def queues(self) -> list[str]:
        """Names of the queues of the namespace that are not topics."""
        return self.run(base.names_of(self.transport, self.namespace, "queue"))

    def topics(self) -> list[str]:
        """Names of the topics of the namespace."""
        return self.run(base.names_of(self.transport, self.namespace, "topic"))

    def close(self, timeout: Duration | None = None) -> None:
        """Close the connection. A second call does nothing.

        Nothing new is accepted or handed out; waiting receives return empty. Deliveries of subscriptions may be
        answered until `timeout` is over, and are given back then.
        """
        if self._closing:
            return
        grace = base.wait_ms(timeout, "timeout")
        self._closing = True
        try:
            self.run(self.transport.close(grace))
        finally:
            self.closed = True
            if self._thread is not None:
                self._thread.stop()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    url: str | None = None,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    api_key: str | None = None,
    defaults: Defaults | None = None,
    max_body_bytes: int | None = None,
    metrics_interval: Duration | None = None,
) -> Connection:
    """Connect to a store in this process or to a server.

    `memory://` is a queue of this process alone, `sqlite:///jobs.db` a file (`sqlite:////` and an absolute path), which
    several processes may share, `log:///jobs` a folder of one process, `http://host:8080`, `grpc://host:50051` or
    `ws://host:8081` a server. Without a URL the environment variables `GOMQ_...` decide. `api_key` is for servers; the
    rest is for stores in this process: `defaults` are settings of queues that have none of their own, `max_body_bytes`
    bounds a message's body, and every `metrics_interval` the counts of all queues are logged.
    Raises InvalidArgument for what makes no sense, StoreUnavailable when the store or server cannot be used.
    """
    url, embedded = embedding(url, defaults, max_body_bytes, metrics_interval)
    if url == "memory://":
        return Connection(drive(opener(url, None, ThreadRuntime, embedded)()), drive, None, namespace)
    thread, transport = open_in_thread(opener(url, api_key, embedding=embedded))
    return Connection(transport, thread.run, thread, namespace)

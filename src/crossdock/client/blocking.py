"""The blocking flavour: `with crossdock.connect(url) as mq`. Safe to use from any number of threads."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Unpack

from crossdock.broker import ThreadRuntime, drive
from crossdock.core.durations import Duration
from crossdock.core.errors import Failures, QueueClosed
from crossdock.core.model import DEFAULT_GROUP, DEFAULT_NAMESPACE, Peeked, QueueStats, Settings

from . import base
from .bodies import Body, many_to_core, to_core
from .loop_thread import LoopThread, Runner
from .opening import open_in_thread, opener
from .received import Received
from .settings import Options, settings_with
from .transport import Transport


class Delivery(Received, gc=False, eq=False):
    """One hand-out of a message. Answer it with ack, nack or reject before the lease ends."""

    queue: "Queue"

    def ack(self) -> None:
        """The message is done. Raises LeaseLost."""
        queue = self.queue
        failures = queue.run(queue.transport.ack(queue.address, queue.group_name, (self.lease,)))
        if failures:
            raise failures[0]

    def nack(self, delay: Duration | None = None, error: str = "") -> None:
        """Try again: after `delay`, or after the queue's backoff. Raises LeaseLost."""
        failures = self.queue.nack((self,), delay, error)
        if failures:
            raise failures[0]

    def reject(self, error: str = "") -> None:
        """Dead-letter the message now. Raises LeaseLost."""
        failures = self.queue.reject((self,), error)
        if failures:
            raise failures[0]

    def extend(self, lease: Duration) -> None:
        """Let the lease end `lease` from now. Raises LeaseLost."""
        failures = self.queue.extend((self,), lease)
        if failures:
            raise failures[0]


class Queue(base.Handle):
    """A queue, seen from one group of readers. The queue is created by its first use when there is none."""

    __slots__ = ("_connection", "run", "transport")

    def __init__(self, connection: "Connection", name: str, group: str, settings: Settings) -> None:
        super().__init__((connection.namespace, name), group, settings)
        self._connection = connection
        self.run: Runner = connection.run
        self.transport = connection.transport

    def group(self, name: str) -> "Queue":
        """The same queue, seen from another group."""
        return Queue(self._connection, self.name, name, self._settings)

    def create(self) -> bool:
        """Create the queue now; False when it existed. Raises InvalidArgument."""
        created = self.run(self.transport.create_queue(self.address, self._settings))
        self._exists = True
        return created

    def send(
        self,
        body: Body,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        ttl: Duration | None = None,
        priority: int = 0,
        dedup_id: str | None = None,
        ordering_key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Send one message; returns its id, or the first one's when its dedup id was seen before.

        See `Message` for the options. Raises InvalidArgument, QueueFull, DedupConflict, MessageExpired.
        """
        message = to_core(body, delay, at, ttl, priority, dedup_id, ordering_key, headers)
        if not self._exists:
            self.create()
        return self.run(self.transport.send(self.address, (message,))).ids[0]

    def send_many(self, bodies: Iterable[Body]) -> list[int]:
        """Send bodies or `Message` objects, all or none; returns their ids in order."""
        messages = many_to_core(bodies)
        if not self._exists:
            self.create()
        return self.run(self.transport.send(self.address, messages)).ids

    def receive(
        self,
        max_messages: int = 1,
        *,
        lease: Duration | None = None,
        wait: Duration | None = None,
        consumer: str = "",
        auto_ack: bool = False,
    ) -> list[Delivery]:
        """Lease up to `max_messages`, waiting up to `wait` for the first. An empty list when there is none.

        With `auto_ack` a message is gone when it is handed out: at most once.
        """
        if not self._exists:
            self.create()
        leases = self.run(
            self.transport.receive(
                self.address,
                self.group_name,
                max_messages,
                base.lease_ms(lease),
                base.wait_ms(wait),
                consumer,
                auto_ack,
            )
        )
        return [Delivery(lease, self) for lease in leases]

    def subscribe(self, *, prefetch: int = 1, lease: Duration | None = None, consumer: str = "") -> Iterator[Delivery]:
        """Deliveries one by one, for ever; ends when the connection closes.

        Up to `prefetch` messages are leased ahead; their leases run meanwhile. Leaving the loop gives the rest back.
        """
        waiting: list[Delivery] = []
        try:
            while not self._connection.closed:
                waiting = self.receive(prefetch, lease=lease, wait=base.SUBSCRIBE_WAIT_MS / 1000, consumer=consumer)
                waiting.reverse()
                while waiting:
                    yield waiting.pop()
        except QueueClosed:
            return
        finally:
            if waiting and not self._connection.closed:  # else their leases end by themselves
                self.nack(waiting, delay=0)

    def ack(self, deliveries: Sequence[Delivery]) -> Failures:
        """Ack a batch. Returns what failed, index -> LeaseLost; empty when nothing did."""
        return self.run(self.transport.ack(self.address, self.group_name, base.receipts(deliveries)))

    def nack(self, deliveries: Sequence[Delivery], delay: Duration | None = None, error: str = "") -> Failures:
        """Give a batch back for a later try. Returns what failed."""
        receipts = base.receipts(deliveries)
        return self.run(self.transport.nack(self.address, self.group_name, receipts, base.delay_ms(delay), error))

    def reject(self, deliveries: Sequence[Delivery], error: str = "") -> Failures:
        """Dead-letter a batch. Returns what failed."""
        return self.run(self.transport.reject(self.address, self.group_name, base.receipts(deliveries), error))

    def extend(self, deliveries: Sequence[Delivery], lease: Duration) -> Failures:
        """Let the leases of a batch end `lease` from now. Returns what failed."""
        receipts = base.receipts(deliveries)
        return self.run(self.transport.extend(self.address, self.group_name, receipts, base.lease_ms(lease)))

    def peek(self, max_messages: int = 1) -> list[Peeked]:
        """The next messages the group would get, without effect."""
        return self.run(self.transport.peek(self.address, self.group_name, max_messages))

    def stats(self) -> QueueStats:
        """Counts by state, by group, and in total."""
        return self.run(self.transport.stats(self.address))

    def edit(self, **options: Unpack[Options]) -> None:
        """Change settings; they hold from now on. Raises InvalidArgument."""
        self.run(self.transport.update_queue(self.address, settings_with(self.stats().settings, options)))

    def pause(self) -> None:
        """Hand nothing out until `resume`; sends and answers go on."""
        self.run(self.transport.update_queue(self.address, base.paused(self.stats().settings, True)))

    def resume(self) -> None:
        """Hand messages out again."""
        self.run(self.transport.update_queue(self.address, base.paused(self.stats().settings, False)))

    def purge(self) -> int:
        """Delete every message, leased ones too. Returns how many."""
        return self.run(self.transport.delete_messages(self.address))

    def redrive(self, ids: Sequence[int] | None = None) -> int:
        """Move messages of this dead-letter queue back to where they came from. Returns how many."""
        return self.run(self.transport.redrive(self.address, ids))

    def delete_group(self) -> bool:
        """Delete this handle's group; False when there is none."""
        return self.run(self.transport.delete_group(self.address, self.group_name))

    def delete(self) -> None:
        """Delete the queue with everything in it."""
        self.run(self.transport.delete_queue(self.address))


class Connection:
    """An open connection. Made by `connect`."""

    def __init__(self, transport: Transport, run: Runner, thread: LoopThread | None, namespace: str) -> None:
        self.transport = transport
        self.run = run
        self._thread = thread
        self.namespace = namespace
        self.closed = False

    def queue(self, name: str, **options: Unpack[Options]) -> Queue:
        """A queue by name; `options` are its settings if its first use creates it."""
        return Queue(self, name, DEFAULT_GROUP, settings_with(Settings(), options))

    def topic(self, name: str, **options: Unpack[Options]) -> Queue:
        """A topic by name: it hands messages to the groups that exist, and keeps none for later ones."""
        return Queue(self, name, DEFAULT_GROUP, settings_with(Settings(kind="topic"), options))

    def queues(self) -> list[str]:
        """Names of all queues of the namespace."""
        return self.run(self.transport.queues(self.namespace))

    def close(self) -> None:
        """Close the connection; waiting receives return empty. A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        try:
            self.run(self.transport.close())
        finally:
            if self._thread is not None:
                self._thread.stop()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(url: str, *, namespace: str = DEFAULT_NAMESPACE, api_key: str | None = None) -> Connection:
    """Connect to a store in this process or to a server.

    `memory://` is a queue of this process alone, `sqlite:///jobs.db` a file (`sqlite:////` and an absolute path), which
    several processes may share, `http://host:8080` a server. `api_key` is for servers.
    Raises InvalidArgument for another URL, StoreUnavailable when the store or server cannot be used.
    """
    if url == "memory://":
        return Connection(drive(opener(url, None, ThreadRuntime)()), drive, None, namespace)
    thread, transport = open_in_thread(opener(url, api_key))
    return Connection(transport, thread.run, thread, namespace)

"""A store driven from plain test code: no event loop, short forms for what tests say often, time in one place."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from crossdock.core.errors import Failures
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import (
    DEFAULT_NAMESPACE,
    Address,
    Delivery,
    Message,
    Peeked,
    QueueStats,
    Receipt,
    SendResult,
    Settings,
    State,
    Tick,
)
from crossdock.storage.base import Store

_T = TypeVar("_T")

START = 1_000
"""Where the time of a test begins, ms."""


class Driver:
    """Calls a store at the time `now`, which `later` moves. A queue is named `q` and a group `g` unless the test says.

    Failures of receipts come as `{index: error code}`, so that a test can compare them as data.
    """

    def __init__(self, store: Store, now: int = START) -> None:
        self.store = store
        self.now = now
        self._runner: asyncio.Runner | None = None

    def __enter__(self) -> "Driver":
        if self.store.abilities.suspends:
            self._runner = asyncio.Runner()
        self.call(self.store.open(self.now))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call(self.store.close())
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def call(self, verb: Awaitable[_T]) -> _T:
        """Run a verb to its end. That of a store which says it never suspends must not."""
        coroutine = _wait(verb)
        if self._runner is not None:
            return self._runner.run(coroutine)
        try:
            coroutine.send(None)
        except StopIteration as end:
            result: _T = end.value
            return result
        coroutine.close()
        raise AssertionError("a store that declares suspends=False suspended its caller")

    def later(self, ms: int) -> None:
        """Let the calls from here on happen `ms` later."""
        self.now += ms

    # Queues and groups

    def create(self, queue: str = "q", *, namespace: str = DEFAULT_NAMESPACE, **settings: Any) -> bool:
        return self.call(self.store.create_queue((namespace, queue), Settings(**settings), self.now))

    def update(self, queue: str = "q", **settings: Any) -> None:
        self.call(self.store.update_queue(address(queue), Settings(**settings), self.now))

    def delete(self, queue: str = "q") -> None:
        self.call(self.store.delete_queue(address(queue), self.now))

    def queues(self, namespace: str | None = None) -> list[Address]:
        return self.call(self.store.queues(namespace))

    def stats(self, queue: str = "q", namespace: str = DEFAULT_NAMESPACE) -> QueueStats:
        return self.call(self.store.stats((namespace, queue), self.now))

    def create_group(self, group: str = "g", queue: str = "q") -> bool:
        return self.call(self.store.create_group(address(queue), group, self.now))

    def delete_group(self, group: str = "g", queue: str = "q") -> bool:
        return self.call(self.store.delete_group(address(queue), group, self.now))

    # Messages

    def send(self, *bodies: str, queue: str = "q", **fields: Any) -> list[int]:
        """Send one batch of messages that share `fields`; returns their ids."""
        return self.send_all([Message(body.encode(), **fields) for body in bodies], queue).ids

    def send_all(self, messages: Sequence[Message], queue: str = "q", namespace: str = DEFAULT_NAMESPACE) -> SendResult:
        return self.call(self.store.send((namespace, queue), messages, self.now))

    def receive(
        self,
        limit: int = 10,
        group: str = "g",
        queue: str = "q",
        *,
        lease: int = 30_000,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
        namespace: str = DEFAULT_NAMESPACE,
    ) -> list[Delivery]:
        where = (namespace, queue)
        return self.call(self.store.receive(where, group, limit, lease, self.now, consumer, auto_ack, default_lease))

    def take(self, group: str = "g", queue: str = "q", *, lease: int = 30_000) -> Delivery:
        """Receive exactly one message, which must be there."""
        deliveries = self.receive(1, group, queue, lease=lease)
        assert len(deliveries) == 1, f"group {group!r} of queue {queue!r} should have a message ready"
        return deliveries[0]

    def ack(self, *receipts: Receipt, group: str = "g", queue: str = "q") -> dict[int, str]:
        return codes(self.call(self.store.ack(address(queue), group, receipts, self.now)))

    def nack(
        self,
        *receipts: Receipt,
        group: str = "g",
        queue: str = "q",
        delay: int | None = None,
        error: str = "",
        jitter: float = 0.0,
    ) -> dict[int, str]:
        return codes(self.call(self.store.nack(address(queue), group, receipts, self.now, jitter, delay, error)))

    def reject(self, *receipts: Receipt, group: str = "g", queue: str = "q", error: str = "") -> dict[int, str]:
        return codes(self.call(self.store.reject(address(queue), group, receipts, self.now, error)))

    def extend(self, *receipts: Receipt, lease: int, group: str = "g", queue: str = "q") -> dict[int, str]:
        return codes(self.call(self.store.extend(address(queue), group, receipts, lease, self.now)))

    def peek(self, group: str = "g", queue: str = "q", limit: int = 100) -> list[Peeked]:
        return self.call(self.store.peek(address(queue), group, limit, self.now))

    def browse(
        self,
        group: str = "g",
        queue: str = "q",
        limit: int = 100,
        *,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]:
        return self.call(self.store.browse(address(queue), group, limit, self.now, after, descending, state))

    def message(self, message_id: int, queue: str = "q") -> Message:
        return self.call(self.store.message(address(queue), message_id, self.now))

    def delete_messages(self, ids: Sequence[int] | None = None, queue: str = "q") -> int:
        return self.call(self.store.delete_messages(address(queue), ids, self.now))

    def redrive(self, ids: Sequence[int] | None = None, queue: str = "q.dlq") -> int:
        return self.call(self.store.redrive(address(queue), ids, self.now))

    def tick(self) -> Tick:
        return self.call(self.store.tick(self.now))


async def _wait(verb: Awaitable[_T]) -> _T:
    return await verb


def address(queue: str) -> Address:
    return (DEFAULT_NAMESPACE, queue)


def bodies(found: Iterable[Delivery | Peeked]) -> list[str]:
    """The bodies of deliveries or of what a peek or browse found, as text."""
    return [each.message.body.decode() for each in found]


def ids(found: Iterable[Delivery | Peeked]) -> list[int]:
    return [each.message.id for each in found]


def codes(failures: Failures) -> dict[int, str]:
    return {index: error.code for index, error in failures.items()}

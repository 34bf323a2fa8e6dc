"""The memory store: the engine behind a lock. Gone when the process ends."""

import secrets
import threading
from collections.abc import Sequence

from crossdock.core.engine import NO_FAILURES, Engine
from crossdock.core.errors import Failures
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import (
    Address,
    Delivery,
    Done,
    Message,
    Peeked,
    QueueStats,
    Receipt,
    SendResult,
    Settings,
    State,
    Tick,
)
from crossdock.core.policy import DEFAULTS

from .base import Abilities, Changed

_NOTHING_FAILED: Done[Failures] = Done(NO_FAILURES)


class MemoryStore:
    """See `storage.base.Store`. No verb suspends; any thread may call.

    `generation` makes receipts of another life of the store stale; it is drawn at random when not given.
    """

    # The three verbs on the path of every message take the lock by hand: `with` costs twice as much.

    abilities = Abilities(level="memory", shared=False, suspends=False)

    def __init__(self, defaults: Settings = DEFAULTS, generation: int | None = None) -> None:
        self._lock = threading.Lock()
        self._engine = Engine(defaults, generation if generation is not None else secrets.randbits(62))
        self._changed: Changed | None = None

    async def open(self, now: int) -> None: ...

    async def close(self) -> None: ...

    def watch(self, changed: Changed | None) -> None:
        self._changed = changed

    async def create_queue(self, address: Address, settings: Settings, now: int) -> bool:
        with self._lock:
            return self._engine.create_queue(address, settings, now)

    async def update_queue(self, address: Address, settings: Settings, now: int) -> None:
        with self._lock:
            self._engine.update_queue(address, settings, now)
        if self._changed is not None:
            self._changed(address, 0)

    async def delete_queue(self, address: Address, now: int) -> None:
        with self._lock:
            self._engine.delete_queue(address, now)
        if self._changed is not None:
            self._changed(address, 0)

    async def queues(self, namespace: str | None) -> list[Address]:
        with self._lock:
            return self._engine.queues(namespace)

    async def stats(self, address: Address, now: int) -> QueueStats:
        with self._lock:
            return self._engine.stats(address, now)

    async def create_group(self, address: Address, group: str, now: int) -> bool:
        with self._lock:
            result = self._engine.create_group(address, group, now)
        if self._changed is not None:
            self._changed(address, 0)
        return result

    async def delete_group(self, address: Address, group: str, now: int) -> bool:
        with self._lock:
            result = self._engine.delete_group(address, group, now)
        if self._changed is not None:
            self._changed(address, 0)
        return result

    def send(self, address: Address, messages: Sequence[Message], now: int) -> Done[SendResult]:
        self._lock.acquire()
        try:
            result = self._engine.send(address, messages, now)
        finally:
            self._lock.release()
        if self._changed is not None:
            self._changed(address, len(messages))
        return Done(result)

    def receive(
        self,
        address: Address,
        group: str,
        limit: int,
        lease: int,
        now: int,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> Done[list[Delivery]]:
        self._lock.acquire()
        try:
            result = self._engine.receive(address, group, limit, lease, now, consumer, auto_ack, default_lease)
        finally:
            self._lock.release()
        if self._changed is not None:
            self._changed(address, 0)
        return Done(result)

    def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Done[Failures]:
        self._lock.acquire()
        try:
            result = self._engine.ack(address, group, receipts, now)
        finally:
            self._lock.release()
        if self._changed is not None:
            self._changed(address, 0)
        return _NOTHING_FAILED if result is NO_FAILURES else Done(result)

    def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        now: int,
        jitter: float,
        delay: int | None = None,
        error: str = "",
    ) -> Done[Failures]:
        with self._lock:
            result = self._engine.nack(address, group, receipts, now, jitter, delay, error)
        if self._changed is not None:
            self._changed(address, 0)
        return Done(result)

    def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], now: int, error: str = ""
    ) -> Done[Failures]:
        with self._lock:
            result = self._engine.reject(address, group, receipts, now, error)
        if self._changed is not None:
            self._changed(address, 0)
        return Done(result)

    def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, now: int) -> Done[Failures]:
        with self._lock:
            result = self._engine.extend(address, group, receipts, lease, now)
        if self._changed is not None:
            self._changed(address, 0)
        return Done(result)

    async def peek(self, address: Address, group: str, limit: int, now: int) -> list[Peeked]:
        with self._lock:
            return self._engine.peek(address, group, limit, now)

    async def browse(
        self,
        address: Address,
        group: str,
        limit: int,
        now: int,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]:
        with self._lock:
            return self._engine.browse(address, group, limit, now, after, descending, state)

    async def message(self, address: Address, message_id: int, now: int) -> Message:
        with self._lock:
            return self._engine.message(address, message_id, now)

    async def delete_messages(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        with self._lock:
            result = self._engine.delete_messages(address, ids, now)
        if self._changed is not None:
            self._changed(address, 0)
        return result

    async def redrive(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        with self._lock:
            result = self._engine.redrive(address, ids, now)
        if self._changed is not None:
            self._changed(address, 0)
        return result

    async def tick(self, now: int) -> Tick:
        with self._lock:
            return self._engine.tick(now)

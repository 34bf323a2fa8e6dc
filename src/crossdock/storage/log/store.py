"""The log store: as fast as memory allows, and durable.

The engine keeps the state, the log every command that changed it; a caller is answered once its command is synced.
One process owns the folder. Any number of loops of that process may use the store.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from msgspec.structs import replace

from crossdock.core.engine import Engine
from crossdock.core.errors import CrossdockError, Failures, QueueClosed, StoreUnavailable
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import (
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
from crossdock.core.policy import DEFAULTS
from crossdock.storage.base import Abilities, Changed
from crossdock.storage.wal.wal import SEGMENT_BYTES

from .bodies import MEMORY_BYTES
from .journal import Journal
from .life import Life

P = ParamSpec("P")
T = TypeVar("T")
Holder = TypeVar("Holder", Delivery, Peeked)

_log = logging.getLogger("crossdock.storage")


class LogStore:
    """A Store in the folder `path`, which is created when missing.

    `memory_bytes` is the budget of bodies in memory. `failpoint` is for crash tests: it is called in the committing
    thread with the name of each step reached ("before-write", "after-sync").
    """

    abilities = Abilities(level="local", shared=False, suspends=True)

    def __init__(
        self,
        path: str | Path,
        defaults: Settings = DEFAULTS,
        memory_bytes: int = MEMORY_BYTES,
        segment_bytes: int = SEGMENT_BYTES,
        failpoint: Callable[[str], None] = lambda step: None,
    ) -> None:
        self._path = Path(path).absolute()
        self._defaults = defaults
        self._memory_bytes = memory_bytes
        self._segment_bytes = segment_bytes
        self._failpoint = failpoint
        self._changed: Changed | None = None
        self._life: Life | None = None
        self._process = 0

    async def open(self, now: int) -> None:
        """See Store."""
        opening = asyncio.ensure_future(
            asyncio.to_thread(
                Life, self._path, now, self._defaults, self._memory_bytes, self._segment_bytes, self._failpoint
            )
        )
        try:
            self._life = await asyncio.shield(opening)
        except asyncio.CancelledError:  # the thread goes on, and would keep the folder (F41)
            with suppress(StoreUnavailable):  # nobody is left to be told
                await asyncio.to_thread((await opening).end)
            raise
        self._process = os.getpid()

    async def close(self) -> None:
        """See Store."""
        life, self._life = self._life, None
        if life is not None and os.getpid() == self._process:
            await asyncio.to_thread(life.end)

    def watch(self, changed: Changed | None) -> None:
        """See Store. `changed` is called once the change can be seen, which is before it is durable."""
        self._changed = changed

    # How a verb runs

    def _open(self) -> Life:
        if self._life is None:
            raise QueueClosed("the store is not open")
        if os.getpid() != self._process:  # before anything else: in a fork the lock may be held for ever
            raise StoreUnavailable("the store was opened before a fork: open one in each process")
        return self._life

    @contextmanager
    def _using(self) -> Iterator[Life]:
        """The life of the store, its lock held. Any error but a refusal may leave memory ahead of the log: the end."""
        life = self._open()
        with life.committer.lock:
            life.committer.check()
            try:
                yield life
            except CrossdockError:
                raise
            except Exception as error:
                life.committer.fail(error)
                raise

    async def _change(self, verb: Callable[[Journal], T], address: Address, sent: int = 0) -> T:
        """Run a verb that may change something; returns when the change is durable."""
        durable = None
        with self._using() as life:
            result = verb(life.journal)
            # Also what others have appended and is not synced yet: the answer may rest on it.
            if life.journal.appended != life.committer.synced:
                durable = life.committer.durable()
        if self._changed is not None:
            self._changed(address, sent)
        if durable is not None:
            await durable
        return result

    async def _look(self, now: int, verb: Callable[[Engine, int], T]) -> T:
        """Run a verb that only looks."""
        with self._using() as life:
            return verb(life.journal.engine, life.journal.at(now, 0))

    async def _whole(self, life: Life, found: list[Holder]) -> list[Holder]:
        """What is to leave the store, with bodies that are in the log alone read back. Works after the life's end."""
        if not life.journal.bodies.paged_bytes:
            return found
        return await asyncio.to_thread(_fill, life.journal, found)

    # The verbs

    async def create_queue(self, address: Address, settings: Settings, now: int) -> bool:
        return await self._change(lambda journal: journal.create_queue(address, settings, now), address)

    async def update_queue(self, address: Address, settings: Settings, now: int) -> None:
        await self._change(lambda journal: journal.update_queue(address, settings, now), address)

    async def delete_queue(self, address: Address, now: int) -> None:
        await self._change(lambda journal: journal.delete_queue(address, now), address)

    async def queues(self, namespace: str | None) -> list[Address]:
        return await self._look(0, lambda engine, now: engine.queues(namespace))

    async def stats(self, address: Address, now: int) -> QueueStats:
        return await self._look(now, lambda engine, now: engine.stats(address, now))

    async def create_group(self, address: Address, group: str, now: int) -> bool:
        return await self._change(lambda journal: journal.create_group(address, group, now), address)

    async def delete_group(self, address: Address, group: str, now: int) -> bool:
        return await self._change(lambda journal: journal.delete_group(address, group, now), address)

    async def send(self, address: Address, messages: Sequence[Message], now: int) -> SendResult:
        # As with `_using`, by hand: this is the verb that programs call message by message.
        life = self._open()
        committer, journal = life.committer, life.journal
        committer.lock.acquire()
        try:
            committer.check()
            gathering = journal.gather(address, messages[0], now) if len(messages) == 1 else None
            if gathering is None:
                result = journal.send(address, messages, now)
            durable = committer.durable()
        except CrossdockError:
            raise
        except Exception as error:
            committer.fail(error)
            raise
        finally:
            committer.lock.release()
        if self._changed is not None:
            self._changed(address, len(messages))
        await durable
        return result if gathering is None else SendResult([messages[0].id], [])

    async def receive(
        self,
        address: Address,
        group: str,
        limit: int,
        lease: int,
        now: int,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> list[Delivery]:
        life = self._open()  # which may be closed, or fail, once the hand-out is durable
        if auto_ack and life.journal.bodies.paged_bytes:
            # A body that has to be read is read before the message is gone.
            held = await self.receive(address, group, limit, lease, now, consumer, False, default_lease)
            failures = await self.ack(address, group, held, now) if held else {}
            return [delivery for index, delivery in enumerate(held) if index not in failures]
        deliveries = await self._change(
            lambda journal: journal.receive(address, group, limit, lease, now, consumer, auto_ack, default_lease),
            address,
        )
        return await self._whole(life, deliveries)

    async def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Failures:
        return await self._change(lambda journal: journal.ack(address, group, receipts, now), address)

    async def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        now: int,
        jitter: float,
        delay: int | None = None,
        error: str = "",
    ) -> Failures:
        return await self._change(
            lambda journal: journal.nack(address, group, receipts, now, jitter, delay, error), address
        )

    async def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], now: int, error: str = ""
    ) -> Failures:
        return await self._change(lambda journal: journal.reject(address, group, receipts, now, error), address)

    async def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, now: int) -> Failures:
        return await self._change(lambda journal: journal.extend(address, group, receipts, lease, now), address)

    async def peek(self, address: Address, group: str, limit: int, now: int) -> list[Peeked]:
        found = await self._look(now, lambda engine, now: engine.peek(address, group, limit, now))
        return await self._whole(self._open(), found)

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
        found = await self._look(
            now, lambda engine, now: engine.browse(address, group, limit, now, after, descending, state)
        )
        return await self._whole(self._open(), found)

    async def message(self, address: Address, message_id: int, now: int) -> Message:
        found = await self._look(now, lambda engine, now: engine.message(address, message_id, now))
        journal = self._open().journal
        return await asyncio.to_thread(journal.bodies.filled, found, journal.wal.read)

    async def delete_messages(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        return await self._change(lambda journal: journal.delete_messages(address, ids, now), address)

    async def redrive(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        return await self._change(lambda journal: journal.redrive(address, ids, now), address)

    async def tick(self, now: int) -> Tick:
        return await self._look(now, lambda engine, now: engine.tick(now))


def _fill(journal: Journal, found: list[Holder]) -> list[Holder]:
    """Read the bodies. A message whose body is damaged is left out and told of in the log: it stays set aside (F40)."""
    whole: list[Holder] = []
    for each in found:
        try:
            message = journal.bodies.filled(each.message, journal.wal.read)
        except StoreUnavailable as error:
            _log.error("message %d cannot be read, it is set aside: %s", each.message.id, error)
            continue
        whole.append(each if message is each.message else replace(each, message=message))
    return whole

"""The SQLite store: the database owns the state, so that several processes may share one file.

Each verb is one call to the writer thread; what it does is in the module named after it.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from crossdock.core import policy
from crossdock.core.errors import Failures
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
from crossdock.storage.base import Abilities, Changed

from . import answers, due, groups, joining, queues, removal, views
from .connection import connect
from .receive import receive
from .redrive import redrive
from .send import send
from .session import Session
from .writer import Writer


class SqliteStore:
    """A Store in the SQLite file `path`, which is created with its folder when missing.

    An object belongs to one process; make one in each. `failpoint` is for crash tests: it is called in the writer
    thread with the name of each step reached ("before-commit", "after-commit", "dead-letter-copied").
    """

    abilities = Abilities(level="local", shared=True, suspends=True)

    def __init__(
        self,
        path: str | Path,
        defaults: Settings = policy.DEFAULTS,
        failpoint: Callable[[str], None] = lambda step: None,
    ) -> None:
        self._path = Path(path).absolute()
        self._defaults = defaults
        self._failpoint = failpoint
        self._writer = Writer()

    async def open(self, now: int) -> None:
        """See Store."""
        connection = await asyncio.to_thread(connect, self._path)
        self._writer.start(Session(connection, self._defaults, now, self._failpoint))

    async def close(self) -> None:
        """See Store."""
        await self._writer.stop()

    def watch(self, changed: Changed | None) -> None:
        """See Store."""
        self._writer.watch(changed)

    async def create_queue(self, address: Address, settings: Settings, now: int) -> bool:
        return await self._writer.submit(queues.create_queue, now, address, settings)

    async def update_queue(self, address: Address, settings: Settings, now: int) -> None:
        await self._writer.submit(queues.update_queue, now, address, settings)

    async def delete_queue(self, address: Address, now: int) -> None:
        await self._writer.submit(queues.delete_queue, now, address)

    async def queues(self, namespace: str | None) -> list[Address]:
        return await self._writer.submit(queues.queues, 0, namespace)

    async def stats(self, address: Address, now: int) -> QueueStats:
        return await self._writer.submit(queues.stats, now, address)

    async def create_group(self, address: Address, group: str, now: int) -> bool:
        return await self._writer.submit(groups.create_group, now, address, group)

    async def delete_group(self, address: Address, group: str, now: int) -> bool:
        return await self._writer.submit(groups.delete_group, now, address, group)

    async def send(self, address: Address, messages: Sequence[Message], now: int) -> SendResult:
        return await self._writer.submit(send, now, address, messages)

    async def send_within(
        self, connection: object, address: Address, messages: Sequence[Message], now: int, settings: Settings | None
    ) -> SendResult:
        """See JoinsTransactions: `connection` is an apsw.Connection in a write transaction."""
        self._writer.check_usable()
        guest = joining.check(connection, self._path)
        session = Session(guest, self._defaults, now, self._failpoint)
        return joining.send_within(session, address, messages, settings)

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
        return await self._writer.submit(receive, now, address, group, limit, lease, consumer, auto_ack, default_lease)

    async def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Failures:
        return await self._writer.submit(answers.ack, now, address, group, receipts)

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
        return await self._writer.submit(answers.nack, now, address, group, receipts, jitter, delay, error)

    async def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], now: int, error: str = ""
    ) -> Failures:
        return await self._writer.submit(answers.reject, now, address, group, receipts, error)

    async def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, now: int) -> Failures:
        return await self._writer.submit(answers.extend, now, address, group, receipts, lease)

    async def peek(self, address: Address, group: str, limit: int, now: int) -> list[Peeked]:
        return await self._writer.submit(views.peek, now, address, group, limit)

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
        return await self._writer.submit(views.browse, now, address, group, limit, after, descending, state)

    async def message(self, address: Address, message_id: int, now: int) -> Message:
        return await self._writer.submit(views.message, now, address, message_id)

    async def delete_messages(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        return await self._writer.submit(removal.delete_messages, now, address, ids)

    async def redrive(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        return await self._writer.submit(redrive, now, address, ids)

    async def tick(self, now: int) -> Tick:
        return await self._writer.submit(due.tick, now)

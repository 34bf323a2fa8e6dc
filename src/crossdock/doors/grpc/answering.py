"""Settlements that come over a stream: many at once, so that they share a commit of the store."""

import asyncio
from collections.abc import Awaitable

from crossdock.broker.broker import Broker
from crossdock.core.errors import Failures
from crossdock.core.model import Address, Done, Receipt
from crossdock.wire.protos import broker_pb2 as pb
from crossdock.wire.protos import messages

from .errors import code_of, log_fault, text_of
from .outbox import Outbox
from .settling import settle

AT_ONCE_MAX = 64
"""Settlements of one stream under way at once."""


class Answering:
    """Settles what the consumer at the other end answers."""

    def __init__(self, broker: Broker, address: Address, group: str, outbox: Outbox) -> None:
        self._broker = broker
        self._address = address
        self._group = group
        self._outbox = outbox
        self._under_way: set[asyncio.Task[None]] = set()
        self.answered = asyncio.Event()
        """Set after each settlement."""

    async def begin(self, settlement: pb.Settlement) -> None:
        """Do a settlement now or soon; wait while too many are under way."""
        while len(self._under_way) >= AT_ONCE_MAX:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        tag = settlement.tag
        try:
            receipts = messages.receipts_of(settlement.receipts)
            step = settle(self._broker, self._address, self._group, receipts, settlement)
        except Exception as error:
            await self._tell_problem(tag, error)
        else:
            if isinstance(step, Done):
                await self._finish(tag, receipts, step)
            else:
                task = asyncio.create_task(self._finish(tag, receipts, step))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Wait for what is under way."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _finish(self, tag: int, receipts: list[Receipt], step: Awaitable[Failures]) -> None:
        try:
            failures = await step
        except Exception as error:
            await self._tell_problem(tag, error)
        else:
            await self._outbox.tell(messages.settled(tag, receipts, failures))
            self.answered.set()

    async def _tell_problem(self, tag: int, error: Exception) -> None:
        log_fault(error)
        problem = pb.Problem(code=code_of(error), error=text_of(error))
        await self._outbox.tell(pb.Settled(tag=tag, problem=problem))

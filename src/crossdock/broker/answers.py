"""Verbs that answer deliveries. Each returns what failed, by index; the others succeeded."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from crossdock.core.errors import CrossdockError, Failures, QueueNotFound
from crossdock.core.limits import BATCH_MESSAGES_MAX
from crossdock.core.model import Address, Delivery, Receipt

from . import checks
from .access import LOCAL, Principal
from .admin import Admin
from .members import Members
from .observer import Observer, Step, observed
from .rotation import Rotation
from .runtime import Runtime

T = TypeVar("T")

_log = logging.getLogger("crossdock.broker")


class Answers(Admin):
    """The part of the broker that settles what it handed out."""

    runtime: Runtime
    observer: Observer | None
    members: Members
    _rotations: dict[tuple[Address, str], Rotation]
    _now: Callable[[], int]

    def ack(
        self, address: Address, group: str, receipts: Sequence[Receipt], who: Principal = LOCAL
    ) -> Awaitable[Failures]:
        """The messages are done, for this group."""
        if who is not LOCAL or self.closed:
            self._allow(who, address, "receive")
        if not 0 < len(receipts) <= BATCH_MESSAGES_MAX:
            checks.check_batch("receipts", len(receipts))
        if self.observer is None:
            if not self._rotations:
                return self.store.ack(address, group, receipts, self._now())
            answer = self.store.ack(address, group, receipts, self._now())
            return self.members.answer(address, group, receipts, answer)
        step = partial(self.store.ack, address, group, receipts, self._now())
        return self._answer("ack", address, group, receipts, step)

    def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        delay: int | None = None,
        error: str = "",
        who: Principal = LOCAL,
    ) -> Awaitable[Failures]:
        """Try again later: after `delay` ms, or after the queue's backoff when None."""
        now = self._allow(who, address, "receive")
        checks.check_nack(len(receipts), delay)
        jitter = self.runtime.random()
        step = partial(self.store.nack, address, group, receipts, now, jitter, delay, checks.cut_error(error))
        return self._answer("nack", address, group, receipts, step)

    def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], error: str = "", who: Principal = LOCAL
    ) -> Awaitable[Failures]:
        """Dead-letter now."""
        now = self._allow(who, address, "receive")
        checks.check_batch("receipts", len(receipts))
        step = partial(self.store.reject, address, group, receipts, now, checks.cut_error(error))
        return self._answer("reject", address, group, receipts, step)

    def extend(
        self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, who: Principal = LOCAL
    ) -> Awaitable[Failures]:
        """Let the leases end `lease` ms from now."""
        now = self._allow(who, address, "receive")
        checks.check_extend(len(receipts), lease)
        step = partial(self.store.extend, address, group, receipts, lease, now)
        answer = self._told("extend", address, len(receipts), step)
        return self.members.extend(address, group, receipts, now + lease, answer) if self._rotations else answer

    def _answer(
        self, verb: str, address: Address, group: str, receipts: Sequence[Receipt], step: Step[Failures]
    ) -> Awaitable[Failures]:
        answer = self._told(verb, address, len(receipts), step)
        return self.members.answer(address, group, receipts, answer) if self._rotations else answer

    def _told(self, verb: str, address: Address, count: int, step: Step[T]) -> Awaitable[T]:
        """The verb, of which the observer is told when there is one."""
        if self.observer is None:
            return step()
        return observed(self.observer, self.clock, verb, address, count, step)

    async def give_back(self, address: Address, group: str, deliveries: Sequence[Delivery]) -> None:
        """Return leases whose consumer went away, for others to take at once; where it fails they end by themselves."""
        for start in range(0, len(deliveries), BATCH_MESSAGES_MAX):
            try:
                await self.nack(address, group, deliveries[start : start + BATCH_MESSAGES_MAX], delay=0)
            except QueueNotFound:
                return  # deleted, and the leases with it
            except CrossdockError as error:
                _log.warning("leases could not be given back: %s", error, extra={"queue": address[1], "group": group})

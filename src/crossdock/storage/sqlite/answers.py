"""Answers to deliveries: ack, nack, reject, extend. Each changes what its receipt still holds, nothing else (F1)."""

from collections.abc import Callable, Sequence

import msgspec

from crossdock.core.errors import CrossdockError, Failures, LeaseLost, MessageNotFound
from crossdock.core.model import Address, Receipt
from crossdock.core.policy import retry_delay

from .catalog import Group, Queue
from .endings import bury, come_back
from .entries import SELECT_ENTRY, Entry, Settled, finish
from .messages import find_message
from .session import Session

# The receipts of one hand-out have one epoch.
_ACK = """DELETE FROM entries
WHERE group_id = ? AND epoch = ? AND lease_until > 0 AND id IN (SELECT value FROM json_each(?))
RETURNING id, key, size, ordering_key"""
_LEASE = f"{SELECT_ENTRY} WHERE e.group_id = ? AND e.id = ? AND e.epoch = ? AND e.lease_until > 0"
_EXTEND = "UPDATE entries SET lease_until = ? WHERE group_id = ? AND id = ?"


def ack(s: Session, address: Address, group: str, receipts: Sequence[Receipt]) -> Failures:
    """See Store."""
    queue = s.queue(address)
    reader = queue.reader(group)
    held = {} if reader is None else _ack_held(s, reader, receipts)
    failures: dict[int, CrossdockError] = {}
    for index, receipt in enumerate(receipts):
        if held.get(receipt.id) == receipt.epoch and receipt.generation == s.generation:
            del held[receipt.id]
        elif receipt.id in held and receipt.generation == s.generation:
            failures[index] = LeaseLost(receipt.id)  # stale beside the one that holds, further on in the batch
        else:
            failures[index] = _why_stale(s, queue, receipt)
    return failures


def _ack_held(s: Session, group: Group, receipts: Sequence[Receipt]) -> dict[int, int]:
    """Ack what is held by some of the receipts; returns the epochs of it by id."""
    by_epoch: dict[int, list[int]] = {}
    for receipt in receipts:
        if receipt.generation == s.generation:
            by_epoch.setdefault(receipt.epoch, []).append(receipt.id)
    held: dict[int, int] = {}
    settled: list[Settled] = []
    for epoch, ids in by_epoch.items():
        for row in s.all(_ACK, group.id, epoch, msgspec.json.encode(ids).decode()):
            settled.append(Settled(*row))
            held[row[0]] = epoch
    group.leased -= len(settled)
    group.queue.totals.acked += len(settled)
    finish(s, group, settled)
    return held


def nack(
    s: Session, address: Address, group: str, receipts: Sequence[Receipt], jitter: float, delay: int | None, error: str
) -> Failures:
    """See Store."""

    def answer(reader: Group, lease: Entry) -> None:
        queue = reader.queue
        queue.totals.nacked += 1
        wait = retry_delay(queue.rules.backoff, lease.attempts, jitter) if delay is None else delay
        come_back(s, reader, lease, s.now + wait)

    return _answer(s, address, group, receipts, error, answer)


def reject(s: Session, address: Address, group: str, receipts: Sequence[Receipt], error: str) -> Failures:
    """See Store."""
    return _answer(s, address, group, receipts, error, lambda reader, lease: bury(s, reader, lease, "rejected"))


def extend(s: Session, address: Address, group: str, receipts: Sequence[Receipt], lease: int) -> Failures:
    """See Store."""
    lease_until = s.now + lease

    def answer(reader: Group, current: Entry) -> None:
        s.run(_EXTEND, lease_until, reader.id, current.id)
        s.due_at(lease_until)

    return _answer(s, address, group, receipts, "", answer)


def _answer(
    s: Session,
    address: Address,
    group: str,
    receipts: Sequence[Receipt],
    error: str,
    answer: Callable[[Group, Entry], None],
) -> Failures:
    """Apply an answer to each lease that is still held; `error` replaces that of an earlier try."""
    queue = s.queue(address)
    reader = queue.reader(group)
    failures: dict[int, CrossdockError] = {}
    for index, receipt in enumerate(receipts):
        lease = None if reader is None else _held(s, reader, receipt)
        if reader is None or lease is None:
            failures[index] = _why_stale(s, queue, receipt)
        else:
            answer(reader, lease._replace(error=error) if error else lease)
    return failures


def _held(s: Session, group: Group, receipt: Receipt) -> Entry | None:
    """The lease a receipt stands for, None when it is stale."""
    row = s.one(_LEASE, group.id, receipt.id, receipt.epoch) if receipt.generation == s.generation else None
    return None if row is None else Entry(*row)


def _why_stale(s: Session, queue: Queue, receipt: Receipt) -> LeaseLost:
    stored = receipt.generation == s.generation and find_message(s, queue, receipt.id) is not None
    return LeaseLost(receipt.id) if stored else MessageNotFound(receipt.id)

"""Answers to deliveries: ack, nack, reject, extend. Each changes what its receipt still holds, nothing else (F1)."""

from collections.abc import Callable, Sequence

from crossdock.core.errors import CrossdockError, LeaseLost, MessageNotFound
from crossdock.core.model import Address, Receipt
from crossdock.core.policy import retry_delay

from .catalog import Group, Queue
from .endings import bury, come_back
from .entries import SELECT_ENTRY, Entry, Settled, finish
from .messages import find_message
from .session import Row, Session

Failures = dict[int, CrossdockError]

_ACK = """DELETE FROM entries WHERE group_id = ? AND id = ? AND epoch = ? AND lease_until > 0
RETURNING id, key, size, ordering_key"""
_LEASE = f"{SELECT_ENTRY} WHERE e.group_id = ? AND e.id = ? AND e.epoch = ? AND e.lease_until > 0"
_EXTEND = "UPDATE entries SET lease_until = ? WHERE group_id = ? AND id = ?"


def ack(s: Session, address: Address, group: str, receipts: Sequence[Receipt]) -> Failures:
    """See Store."""
    queue = s.queue(address)
    reader = queue.reader(group)
    failures: Failures = {}
    settled: list[Settled] = []
    for index, receipt in enumerate(receipts):
        row = _match(s, _ACK, reader, receipt)
        if row is not None:
            settled.append(Settled(*row))
            continue
        if reader is not None:
            _finish_acks(s, reader, settled)
        failures[index] = _why_stale(s, queue, receipt)
    if reader is not None:
        _finish_acks(s, reader, settled)
    return failures


def _finish_acks(s: Session, group: Group, settled: list[Settled]) -> None:
    group.leased -= len(settled)
    group.queue.totals.acked += len(settled)
    finish(s, group, settled)
    settled.clear()


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
    failures: Failures = {}
    for index, receipt in enumerate(receipts):
        row = _match(s, _LEASE, reader, receipt)
        if row is None or reader is None:
            failures[index] = _why_stale(s, queue, receipt)
        else:
            lease = Entry(*row)
            answer(reader, lease._replace(error=error) if error else lease)
    return failures


def _match(s: Session, sql: str, group: Group | None, receipt: Receipt) -> Row | None:
    if group is None or receipt.generation != s.generation:
        return None
    return s.one(sql, group.id, receipt.id, receipt.epoch)


def _why_stale(s: Session, queue: Queue, receipt: Receipt) -> LeaseLost:
    stored = receipt.generation == s.generation and find_message(s, queue, receipt.id) is not None
    return LeaseLost(receipt.id) if stored else MessageNotFound(receipt.id)

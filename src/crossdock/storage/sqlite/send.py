"""Send: accept all messages of a batch or none.

A batch, or what was sent together, goes to the lane when all of it may stand there, and otherwise stands apart.
"""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from crossdock.core.errors import DedupConflict, MessageExpired
from crossdock.core.model import Address, Message, Plain, SendResult
from crossdock.core.policy import accept, body_digest

from . import keys
from .catalog import Queue
from .entries import Entry, add_entries
from .messages import ADD_MESSAGE, headers_text, row_of
from .room import make_room
from .session import Session

_SEEN = "SELECT digest, id FROM dedup WHERE queue_id = ? AND dedup_id = ? AND until > ?"
# An id whose window ended may still have its row.
_REMEMBER = "INSERT OR REPLACE INTO dedup (queue_id, dedup_id, digest, id, until) VALUES (?, ?, ?, ?, ?)"


class _Batch(NamedTuple):
    """What matters about accepted messages together."""

    size: int
    tagged: bool
    """Whether any has a dedup id."""
    in_lane: bool
    """Whether all may stand in the lane."""


def send(s: Session, address: Address, messages: Sequence[Message]) -> SendResult:
    """See Store."""
    queue = s.queue(address)
    batch = _accept(s, queue, messages)
    if batch.tagged:
        return _send_tagged(s, queue, messages, batch.in_lane)
    make_room(s, queue, len(messages), batch.size)
    first = _store(s, queue, messages, batch.size, batch.in_lane)
    return SendResult(list(range(first, first + len(messages))), [])


def send_together(s: Session, address: Address, batches: Sequence[Sequence[Message]]) -> list[SendResult] | None:
    """Send batches that came together as one, which is cheaper. None, and nothing done, when one might be refused."""
    queue = s.find_queue(address)
    if queue is None or queue.rules.bounded:
        return None
    messages = list(chain.from_iterable(batches))
    try:
        batch = _accept(s, queue, messages)
    except MessageExpired:
        return None
    if batch.tagged:
        return None
    end = _store(s, queue, messages, batch.size, batch.in_lane)
    results = []
    for each in batches:
        first, end = end, end + len(each)
        results.append(SendResult([first] if len(each) == 1 else list(range(first, end)), []))
    return results


def _accept(s: Session, queue: Queue, messages: Sequence[Message]) -> _Batch:
    """Fill in the times of messages. Raises MessageExpired."""
    rules, now = queue.rules, s.now
    default_ttl = rules.ttl
    size = 0
    tagged = False
    in_lane = now >= queue.lane_due  # else another process is ahead of our clock
    for message in messages:
        size += len(message.body)
        if message.__class__ is Plain and not default_ttl:
            message.enqueued_at = message.deliver_at = now
            continue
        if message.delay or message.deliver_at or message.ttl or default_ttl:
            accept(message, rules, now)
            in_lane = in_lane and not message.expires_at and message.deliver_at == now
        else:
            message.enqueued_at = message.deliver_at = now
        if message.priority or message.ordering_key is not None:
            in_lane = False
        if message.dedup_id is not None:
            tagged = True
    return _Batch(size, tagged, in_lane)


def _store(s: Session, queue: Queue, messages: Sequence[Message], size: int, in_lane: bool) -> int:
    """Give new messages ids, which follow each other, and store them. Returns the first id."""
    first = s.take_ids(len(messages))
    queue.totals.sent += len(messages)
    s.sent(queue, len(messages))
    for message_id, message in enumerate(messages, first):
        message.id = message_id
    if not queue.groups:  # a topic keeps nothing while it has no group
        return first
    queue.stored += len(messages)
    queue.bytes += size
    if in_lane:
        _add_to_lane(s, queue, messages)
    else:
        _add_apart(s, queue, messages)
    return first


def _add_to_lane(s: Session, queue: Queue, messages: Sequence[Message]) -> None:
    now, base = s.now, queue.base
    queue.lane_due = now
    queue.lane_sent += len(messages)
    queue.lane_stored += len(messages)
    s.add_to_lane(
        [(base + m.id, m.body, headers_text(m.headers) if m.headers else None, now, m.dedup_id) for m in messages]
    )


def _add_apart(s: Session, queue: Queue, messages: Sequence[Message]) -> None:
    base = queue.base + keys.APART
    s.many(ADD_MESSAGE, [row_of(message, base + message.id) for message in messages])
    entries = [entry_of(message, base + message.id) for message in messages]
    for group in queue.groups.values():
        add_entries(s, group, entries)


def entry_of(message: Message, key: int) -> Entry:
    """The entry with which a message begins in a group."""
    return Entry(
        message.id,
        key,
        len(message.body),
        message.priority,
        message.deliver_at,
        message.expires_at,
        message.ordering_key,
    )


def _send_tagged(s: Session, queue: Queue, messages: Sequence[Message], in_lane: bool) -> SendResult:
    """Send a batch in which messages carry dedup ids (F25)."""
    fresh: list[Message] = []
    firsts: dict[str, tuple[bytes, Message | int]] = {}
    repeats: dict[int, str] = {}
    for index, message in enumerate(messages):
        dedup_id = message.dedup_id
        if dedup_id is None:
            fresh.append(message)
            continue
        digest = body_digest(message.body)
        known = firsts.get(dedup_id) or s.one(_SEEN, queue.id, dedup_id, s.now)
        if known is None:
            firsts[dedup_id] = (digest, message)
            fresh.append(message)
        elif known[0] != digest:
            raise DedupConflict(dedup_id)
        else:
            firsts[dedup_id] = (digest, known[1])
            repeats[index] = dedup_id
    size = sum(len(message.body) for message in fresh)
    make_room(s, queue, len(fresh), size)
    _store(s, queue, fresh, size, in_lane)
    queue.totals.duplicates += len(repeats)
    ids = {dedup_id: first.id if isinstance(first, Message) else first for dedup_id, (_, first) in firsts.items()}
    _remember(s, queue, firsts)
    return SendResult(
        [ids[repeats[index]] if index in repeats else message.id for index, message in enumerate(messages)],
        list(repeats),
    )


def _remember(s: Session, queue: Queue, firsts: dict[str, tuple[bytes, Message | int]]) -> None:
    window = queue.rules.dedup_window
    if window:
        until = s.now + window
        new = [(key, digest, first.id) for key, (digest, first) in firsts.items() if isinstance(first, Message)]
        s.many(_REMEMBER, [(queue.id, *each, until) for each in new])
        s.due_at(until)

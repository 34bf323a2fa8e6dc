"""What a group may be handed out now, in order of delivery."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from crossdock.core.model import Message

from . import keys
from .catalog import Group
from .messages import MESSAGE_COLUMNS, SELECT_MESSAGE, message_of
from .ordering import holder_of
from .session import Session

_NEXT_PRIORITY = """SELECT min(priority) FROM entries
WHERE group_id = ? AND priority > ? AND lease_until = 0 AND parked = 0"""
# Entries of one priority that are due, in order, with their messages. The index holds neither leased nor parked ones.
_ENTRIES = f"""SELECT e.deliver_at, e.attempts, e.error, e.size, {MESSAGE_COLUMNS}
FROM entries e CROSS JOIN messages m ON m.key = e.key
WHERE e.group_id = ? AND e.priority = ? AND e.deliver_at <= ? AND e.lease_until = 0 AND e.parked = 0
ORDER BY e.deliver_at, e.id LIMIT ?"""  # noqa: S608
_LANE = f"{SELECT_MESSAGE} WHERE m.key > ? AND m.key <= ? ORDER BY m.key LIMIT ?"

_BELOW_EVERY_PRIORITY = -(2**31)


class Candidate(NamedTuple):
    """A ready message; its first three fields are its place in the order of delivery."""

    priority: int
    deliver_at: int
    id: int
    key: int
    size: int
    attempts: int
    error: str
    has_entry: bool
    message: Message


def candidates(s: Session, group: Group, limit: int) -> list[Candidate]:
    """The first `limit` ready messages. Those whose ordering key is held are among them unless they were parked."""
    found = _from_entries(s, group, limit) if group.waiting else []
    if group.in_lane and (len(found) < limit or found[-1].priority >= 0):
        found = sorted(found + _from_lane(s, group, limit))[:limit]
    return found


def _from_entries(s: Session, group: Group, limit: int) -> list[Candidate]:
    found: list[Candidate] = []
    priority: int | None = _BELOW_EVERY_PRIORITY
    while len(found) < limit:
        (priority,) = s.one(_NEXT_PRIORITY, group.id, priority) or (None,)
        if priority is None:
            break
        for deliver_at, attempts, error, size, *row in s.all(_ENTRIES, group.id, priority, s.now, limit - len(found)):
            found.append(_candidate(deliver_at, attempts, error, size, row))
    return found


def _from_lane(s: Session, group: Group, limit: int) -> list[Candidate]:
    base = group.queue.base
    rows = s.all(_LANE, base + group.cursor, base + keys.ID_MAX, limit)
    return [_candidate(row[5], 0, "", len(row[1]), row, has_entry=False) for row in rows]


def _candidate(
    deliver_at: int, attempts: int, error: str, size: int, row: Sequence[Any], has_entry: bool = True
) -> Candidate:
    message = message_of(row)
    return Candidate(message.priority, deliver_at, message.id, row[0], size, attempts, error, has_entry, message)


def upcoming(s: Session, group: Group, limit: int) -> list[Candidate]:
    """What a receive would hand out, without changing anything."""
    width = limit
    while True:
        wide = candidates(s, group, width)
        found = _one_of_each_key(s, group, wide)
        if len(found) >= limit or len(wide) < width:
            return found[:limit]
        width *= 4


def _one_of_each_key(s: Session, group: Group, ready: list[Candidate]) -> list[Candidate]:
    taken: set[str] = set()
    found = []
    for each in ready:
        key = each.message.ordering_key
        if key is not None:
            if key in taken or holder_of(s, group, key) not in (0, each.id):
                continue
            taken.add(key)
        found.append(each)
    return found

"""Looking into queues without changing them."""

from crossdock.core.errors import MessageNotFound
from crossdock.core.model import Address, Message, Peeked, State

from . import keys
from .catalog import Group, Queue
from .messages import MESSAGE_COLUMNS, message_of, read_message
from .ready import upcoming
from .session import Session

# Stored messages that are due, in the order in which a new group would get them.
_DUE = """SELECT key & ?1, ordering_key FROM messages WHERE key BETWEEN ?2 AND ?3 AND deliver_at <= ?4
ORDER BY priority, deliver_at, key & ?1 LIMIT ?5"""

# Each of these takes (group or 0, first key or id, last, now, state or NULL, limit) and gives what Peeked shows.
_STANDING = f"""SELECT * FROM (
    SELECT CASE WHEN e.lease_until > 0 THEN 'leased' WHEN e.deliver_at > ?4 THEN 'delayed' ELSE 'ready' END AS state,
        e.attempts, CASE WHEN e.lease_until > 0 THEN e.lease_until WHEN e.deliver_at > ?4 THEN e.deliver_at ELSE 0 END,
        e.consumer, e.error, {MESSAGE_COLUMNS}, e.id AS place
    FROM entries e CROSS JOIN messages m ON m.key = e.key WHERE e.group_id = ?1 AND e.id BETWEEN ?2 AND ?3
) WHERE ?5 IS NULL OR state = ?5"""  # noqa: S608
# Messages that a group has no entry for, as they would begin in it.
_BEGINNING = f"""SELECT * FROM (
    SELECT CASE WHEN m.deliver_at > ?4 THEN 'delayed' ELSE 'ready' END AS state,
        0, CASE WHEN m.deliver_at > ?4 THEN m.deliver_at ELSE 0 END, '', '', {MESSAGE_COLUMNS}, m.key AS place
    FROM messages m WHERE m.key BETWEEN ?2 AND ?3 AND ?1 = ?1
) WHERE ?5 IS NULL OR state = ?5"""  # noqa: S608
_UP, _DOWN = " ORDER BY place LIMIT ?6", " ORDER BY place DESC LIMIT ?6"


def message(s: Session, address: Address, message_id: int) -> Message:
    """See Store."""
    found = read_message(s, s.queue(address), message_id)
    if found is None:
        raise MessageNotFound(message_id)
    return found


def peek(s: Session, address: Address, group: str, limit: int) -> list[Peeked]:
    """See Store."""
    queue = s.queue(address)
    reader = queue.reader(group)
    if reader is not None:
        return [Peeked(each.message, "ready", each.attempts, 0, "", each.error) for each in upcoming(s, reader, limit)]
    if queue.rules.topic:
        return []
    found = (read_message(s, queue, message_id) for message_id in _for_newcomer(s, queue, limit))
    return [Peeked(each, "ready", 0, 0) for each in found if each is not None]


def _for_newcomer(s: Session, queue: Queue, limit: int) -> list[int]:
    """Ids of the messages that a group which does not exist yet would be handed out, in order."""
    last = queue.base + keys.APART + keys.ID_MAX
    width = limit
    while True:
        rows = s.all(_DUE, keys.ID_MAX, queue.base, last, s.now, width)
        taken: set[str] = set()
        found: list[int] = []
        for message_id, ordering_key in rows:
            if ordering_key not in taken:
                found.append(message_id)
            if ordering_key is not None:
                taken.add(ordering_key)
        if len(found) >= limit or len(rows) < width:
            return found[:limit]
        width *= 4


def browse(
    s: Session, address: Address, group: str, limit: int, after: int, descending: bool, state: State | None
) -> list[Peeked]:
    """See Store."""
    queue = s.queue(address)
    reader = queue.reader(group)
    if reader is None and queue.rules.topic:
        return []
    first, last = 1, keys.ID_MAX
    if after and descending:
        last = min(last, after - 1)
    elif after >= keys.ID_MAX:
        return []  # an invented id must not reach beyond the queue's keys, nor SQLite's numbers
    elif after:
        first = after + 1
    order = _DOWN if descending else _UP
    parts = _parts(queue, reader, first, last)
    if state not in (None, "ready"):
        parts.pop()  # what stands in the lane is ready
    rows = [row for sql, *where in parts for row in s.all(sql + order, *where, s.now, state, limit)]
    found = [Peeked(message_of(row[5:14]), row[0], *row[1:5]) for row in rows]
    found.sort(key=lambda look: look.message.id, reverse=descending)
    return found[:limit]


def _parts(queue: Queue, reader: Group | None, first: int, last: int) -> list[tuple[str, int, int, int]]:
    """Where the messages that a group is not done with are found, each part in order of id; the lane comes last."""
    if reader is None:
        apart = queue.base + keys.APART
        return [
            (_BEGINNING, 0, apart + first, apart + last),
            (_BEGINNING, 0, queue.base + first, queue.base + last),
        ]
    return [
        (_STANDING, reader.id, first, last),
        (_BEGINNING, reader.id, queue.base + max(first, reader.cursor + 1), queue.base + last),
    ]

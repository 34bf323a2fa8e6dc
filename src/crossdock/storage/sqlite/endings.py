"""How a message ends in a group without success: back for another try, expired, dead-lettered, or dropped."""

from crossdock.core.errors import QueueFull
from crossdock.core.model import Reason, Settings
from crossdock.core.policy import REFUSED_DELAY_MS, dead_letter_headers

from . import catalog, keys
from .catalog import Group, Queue
from .entries import Entry, add_entries, drop_entry, return_entry
from .messages import find_message, headers_of, headers_text
from .room import make_room
from .session import Session

_HEADERS = "SELECT headers FROM messages WHERE key = ?"
# The body goes from row to row inside SQLite.
_COPY = """INSERT INTO messages (key, body, headers, priority, enqueued_at, deliver_at, expires_at, ordering_key)
SELECT ?, body, ?, priority, enqueued_at, ?, 0, ordering_key FROM messages WHERE key = ?"""
_POSTPONE_MESSAGE = "UPDATE messages SET expires_at = ? WHERE key = ?"
_POSTPONE_ENTRIES = """UPDATE entries SET expires_at = ?
WHERE id = ? AND group_id IN (SELECT id FROM groups WHERE queue_id = ?)"""


def come_back(s: Session, group: Group, lease: Entry, deliver_at: int) -> None:
    """A lease ended without success: again at `deliver_at`, or the end of the message for this group."""
    if lease.expired(s.now):
        expire(s, group, lease)
    elif group.queue.rules.used_up(lease.attempts):
        bury(s, group, lease, "attempts")
    else:
        return_entry(s, group, lease, deliver_at)


def expire(s: Session, group: Group, entry: Entry) -> None:
    """The time to live of a message is over, and the group has not leased it (any more)."""
    queue = group.queue
    if queue.rules.dead_letter_expired:
        bury(s, group, entry, "expired")
    else:
        queue.totals.expired += 1
        drop_entry(s, group, entry)


def bury(s: Session, group: Group, entry: Entry, reason: Reason) -> None:
    """Dead-letter a message for one group; where the queue has no dead-letter queue it is dropped."""
    queue = group.queue
    if not queue.rules.dead_letter:
        queue.totals.dropped += 1
        drop_entry(s, group, entry)
    elif _deliver(s, group, entry, reason):
        s.reached("dead-letter-copied")
        queue.totals.dead += 1
        drop_entry(s, group, entry)
    else:
        _refused(s, group, entry)


def _refused(s: Session, group: Group, entry: Entry) -> None:
    """The dead-letter queue is full: the message stays and is tried again later (F6)."""
    later = s.now + REFUSED_DELAY_MS
    if entry.expired(s.now):
        s.run(_POSTPONE_MESSAGE, later, entry.key)
        s.run(_POSTPONE_ENTRIES, later, entry.id, group.queue.id)
        s.due_at(later)
    if entry.lease_until:
        return_entry(s, group, entry, later)


def _deliver(s: Session, group: Group, entry: Entry, reason: Reason) -> bool:
    """Store a dead letter in the queue's dead-letter queue, which is made if need be. False: it is full."""
    queue = group.queue
    address = (queue.address[0], queue.rules.dead_letter)
    try:
        target = s.find_queue(address) or catalog.add_queue(s, address, Settings())
        make_room(s, target, 1, entry.size)
    except QueueFull:
        return False
    (headers,) = s.one(_HEADERS, entry.key) or (None,)
    taken = find_message(s, target, entry.id) is not None
    marked = dead_letter_headers(
        headers_of(headers),
        queue.address[1],
        group.name,
        reason,
        entry.error,
        entry.attempts,
        entry.id if taken else 0,
    )
    letter_id = s.take_ids(1) if taken else entry.id
    key = target.base + keys.APART + letter_id
    if target.groups:
        s.run(_COPY, key, headers_text(marked), s.now, entry.key)
        letter = Entry(letter_id, key, entry.size, entry.priority, s.now, 0, entry.ordering_key)
        arrive(s, target, letter, list(target.groups.values()))
    s.ready.add(address)
    return True


def arrive(s: Session, queue: Queue, entry: Entry, groups: list[Group]) -> None:
    """A message from another queue was stored: let it wait in `groups`."""
    queue.stored += 1
    queue.bytes += entry.size
    queue.floor = min(queue.floor, entry.id)
    s.changed(queue)
    for group in groups:
        add_entries(s, group, [entry])

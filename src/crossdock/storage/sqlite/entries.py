"""Entries: where messages stand in a group. Every change of an entry keeps the group's counters true."""

from collections.abc import Iterable
from typing import NamedTuple

from . import keys
from .catalog import Group, Queue
from .ordering import let_go
from .session import Session

SELECT_ENTRY = """SELECT e.id, e.key, e.size, e.priority, e.deliver_at, e.expires_at, e.ordering_key,
e.attempts, e.lease_until, e.error FROM entries e"""

_FIND = f"{SELECT_ENTRY} WHERE e.group_id = ? AND e.id = ?"
_ADD = """INSERT INTO entries
(group_id, id, key, size, priority, deliver_at, expires_at, ordering_key, delayed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
REMOVE_ENTRY = "DELETE FROM entries WHERE group_id = ? AND id = ?"
_BACK = """UPDATE entries SET lease_until = 0, consumer = '', deliver_at = ?, delayed = ?, error = ?
WHERE group_id = ? AND id = ?"""
_REMOVE_MESSAGE = "DELETE FROM messages WHERE key = ?"
# Whether any group of a queue has an entry for an id.
_HAS_ENTRY = "SELECT 1 FROM groups g JOIN entries e ON e.group_id = g.id AND e.id = ? WHERE g.queue_id = ? LIMIT 1"
_LEASED = """SELECT 1 FROM groups g JOIN entries e ON e.group_id = g.id AND e.id = ?
WHERE g.queue_id = ? AND e.lease_until > 0 LIMIT 1"""


class Entry(NamedTuple):
    """A row of `entries`; see the schema."""

    id: int
    key: int
    size: int
    priority: int
    deliver_at: int
    expires_at: int
    ordering_key: str | None
    attempts: int = 0
    lease_until: int = 0
    error: str = ""

    def expired(self, now: int) -> bool:
        """Whether the message's time to live is over."""
        return 0 < self.expires_at <= now


class Settled(NamedTuple):
    """What is left to know of an entry that was removed."""

    id: int
    key: int
    size: int
    ordering_key: str | None


def find_entry(s: Session, group: Group, message_id: int) -> Entry | None:
    """The entry of a message in a group, None without one."""
    row = s.one(_FIND, group.id, message_id)
    return None if row is None else Entry(*row)


def add_entries(s: Session, group: Group, entries: Iterable[Entry]) -> None:
    """Let messages that were never handed out wait in a group: delayed until deliver_at, or ready."""
    now, rows = s.now, []
    for e in entries:
        delayed = e.deliver_at > now
        rows.append((group.id, e.id, e.key, e.size, e.priority, e.deliver_at, e.expires_at, e.ordering_key, delayed))
        if delayed:
            s.due_at(e.deliver_at)
        if e.expires_at:
            s.due_at(e.expires_at)
    s.many(_ADD, rows)
    group.waiting += len(rows)
    s.changed(group.queue, group)


def return_entry(s: Session, group: Group, entry: Entry, deliver_at: int) -> None:
    """A lease is over: the message waits again. Its ordering key stays held until it is done with."""
    delayed = deliver_at > s.now
    s.run(_BACK, deliver_at, delayed, entry.error, group.id, entry.id)
    group.leased -= 1
    group.waiting += 1
    queue = group.queue
    queue.floor = min(queue.floor, entry.id)
    s.changed(queue, group)
    if entry.expires_at:
        s.due_at(entry.expires_at)
    if delayed:
        s.due_at(deliver_at)
    else:
        s.ready.add(queue.address)


def remove_entry(s: Session, group: Group, entry: Entry) -> None:
    """Delete an entry; its ordering key and its message are the caller's."""
    s.run(REMOVE_ENTRY, group.id, entry.id)
    if entry.lease_until:
        group.leased -= 1
    else:
        group.waiting -= 1
    s.changed(group.queue, group)


def drop_entry(s: Session, group: Group, entry: Entry) -> None:
    """The group is done with a message that it has an entry for."""
    remove_entry(s, group, entry)
    finish(s, group, [Settled(entry.id, entry.key, entry.size, entry.ordering_key)])


def finish(s: Session, group: Group, settled: list[Settled]) -> None:
    """Entries of a group were removed: let their ordering keys go, and the messages that no group waits for."""
    queue = group.queue
    for each in settled:
        if each.ordering_key is not None:
            let_go(s, group, each.ordering_key, each.id)
    if len(queue.groups) > 1:
        settled = [each for each in settled if not wanted(s, queue, each.id, each.key)]
    remove_messages(s, queue, [(each.key, each.size) for each in settled])
    s.changed(queue, group)


def wanted(s: Session, queue: Queue, message_id: int, key: int) -> bool:
    """Whether some group of the queue is not done with a message."""
    if any(waits_in_lane(group, message_id, key) for group in queue.groups.values()):
        return True
    return s.one(_HAS_ENTRY, message_id, queue.id) is not None


def waits_in_lane(group: Group, message_id: int, key: int) -> bool:
    """Whether the group did not come to a stored message yet, and so has no entry for it."""
    return keys.in_lane(key) and group.cursor < message_id


def is_leased(s: Session, queue: Queue, message_id: int) -> bool:
    """Whether some group of the queue has leased a message."""
    return s.one(_LEASED, message_id, queue.id) is not None


def remove_messages(s: Session, queue: Queue, messages: list[tuple[int, int]]) -> None:
    """Remove messages, given as (key, size), that no group has to do with any more."""
    if not messages:
        return
    s.many(_REMOVE_MESSAGE, [(key,) for key, _ in messages])
    queue.stored -= len(messages)
    for key, size in messages:
        queue.bytes -= size
        if keys.in_lane(key):
            queue.lane_stored -= 1
    s.changed(queue)

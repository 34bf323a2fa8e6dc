"""Groups: where a new one begins, and what an old one leaves."""

from crossdock.core.model import Address

from . import catalog, keys
from .catalog import NAMELESS, Group, Queue
from .entries import remove_messages
from .ordering import let_all_go
from .removal import empty_group, purge
from .session import Session

_PAGE = 1_000

# A late group gets an entry for every message that stands apart; the lane it reads from its beginning.
_JOIN = """INSERT INTO entries
(group_id, id, key, size, priority, deliver_at, expires_at, ordering_key, delayed)
SELECT ?1, key & ?2, key, length(body), priority, deliver_at, expires_at, ordering_key, deliver_at > ?3
FROM messages WHERE key BETWEEN ?4 AND ?5 AND (expires_at = 0 OR expires_at > ?3)"""
# As if the entries had just been sent.
_RESET = """UPDATE entries SET attempts = 0, lease_until = 0, parked = 0, consumer = '', error = '',
    deliver_at = m.deliver_at, expires_at = m.expires_at, delayed = m.deliver_at > ?
FROM messages m WHERE m.key = entries.key AND group_id = ?"""
_DELETE_GROUP = "DELETE FROM groups WHERE id = ?"
# Messages that stand in the lane between two ids and that no group has an entry for.
_LEFT_IN_LANE = """SELECT key, length(body) FROM messages WHERE key > ?1 AND key <= ?2 AND NOT EXISTS (
    SELECT 1 FROM groups g JOIN entries e ON e.group_id = g.id AND e.id = messages.key & ?3 WHERE g.queue_id = ?4)
ORDER BY key LIMIT ?5"""
# Entries of group ?1, above id ?2, whose message no other group has an entry for; those in the lane only up to key ?3.
_LEFT_ALONE = """SELECT id, key, size FROM entries
WHERE group_id = ?1 AND id > ?2 AND (key <= ?3 OR key & ?4) AND NOT EXISTS (
    SELECT 1 FROM groups g JOIN entries e ON e.group_id = g.id AND e.id = entries.id
    WHERE g.queue_id = ?5 AND g.id <> ?1)
ORDER BY id LIMIT ?6"""


def create_group(s: Session, address: Address, group: str) -> bool:
    """See Store."""
    queue = s.queue(address)
    if queue.reader(group) is not None:
        return False
    group_for(s, queue, group)
    return True


def group_for(s: Session, queue: Queue, name: str) -> Group:
    """The group of that name, made on first use."""
    group = queue.reader(name)
    if group is not None:
        return group
    if queue.rules.topic:
        return catalog.add_group(s, queue, name, s.last_id, queue.lane_sent)
    nameless = queue.groups.get(NAMELESS)
    if nameless is not None:
        catalog.rename_group(s, nameless, name)
        return nameless
    group = catalog.add_group(s, queue, name, 0, queue.lane_sent - queue.lane_stored)
    apart = queue.base + keys.APART
    s.run(_JOIN, group.id, keys.ID_MAX, s.now, apart, apart + keys.ID_MAX)
    group.waiting = s.connection.changes()
    s.changed(queue, group)
    s.find_due()
    return group


def delete_group(s: Session, address: Address, name: str) -> bool:
    """See Store."""
    queue = s.queue(address)
    group = queue.reader(name)
    if group is None:
        return False
    if len(queue.groups) > 1:
        _leave(s, group)
    elif queue.rules.topic:
        purge(s, queue)
    else:
        _become_nameless(s, group)
        return True
    empty_group(s, group)
    s.run(_DELETE_GROUP, group.id)
    number = keys.counters_of(queue.id, group.id)
    catalog.delete_counters(s, number, number + 1)
    s.forget_group(group)
    queue.floor = 0  # messages that it had leased may be free now
    s.changed(queue)
    return True


def _become_nameless(s: Session, group: Group) -> None:
    """The last group of a queue goes: the messages it was not done with wait for the next group."""
    queue = group.queue
    s.run(_RESET, s.now, group.id)
    let_all_go(s, group)
    group.waiting += group.leased
    group.leased = 0
    catalog.rename_group(s, group, NAMELESS)
    queue.floor = 0
    s.changed(queue, group)
    s.find_due()


def _leave(s: Session, group: Group) -> None:
    """Remove the messages that only this group, one of several, was not done with."""
    queue = group.queue
    furthest = queue.base + min(other.cursor for other in queue.groups.values() if other is not group)
    last = 0
    while left := s.all(_LEFT_ALONE, group.id, last, furthest, keys.APART, queue.id, _PAGE):
        remove_messages(s, queue, [(key, size) for _, key, size in left])
        last = left[-1][0]
    last = queue.base + group.cursor
    while left := s.all(_LEFT_IN_LANE, last, furthest, keys.ID_MAX, queue.id, _PAGE):
        remove_messages(s, queue, left)
        last = left[-1][0]

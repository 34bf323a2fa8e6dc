"""Removing messages from every group, in whatever state they are."""

from collections.abc import Iterable, Sequence

from crossdock.core.model import Address

from . import keys
from .catalog import Group, Queue
from .entries import find_entry, remove_entry, remove_messages, waits_in_lane
from .messages import find_message
from .ordering import let_all_go, let_go
from .session import Session

_EMPTY_GROUP = "DELETE FROM entries WHERE group_id = ?"
_EMPTY_QUEUE = "DELETE FROM messages WHERE key BETWEEN ? AND ?"


def delete_messages(s: Session, address: Address, ids: Sequence[int] | None) -> int:
    """See Store."""
    queue = s.queue(address)
    removed = purge(s, queue) if ids is None else remove_everywhere(s, queue, dict.fromkeys(ids))
    queue.totals.purged += removed
    s.changed(queue)
    return removed


def remove_everywhere(s: Session, queue: Queue, ids: Iterable[int]) -> int:
    """Remove those of the messages that are stored. Returns how many."""
    found = []
    for message_id in ids:
        message = find_message(s, queue, message_id)
        if message is not None:
            for group in queue.groups.values():
                _remove_from(s, group, message_id, message[0])
            found.append(message)
    remove_messages(s, queue, found)
    return len(found)


def _remove_from(s: Session, group: Group, message_id: int, key: int) -> None:
    entry = find_entry(s, group, message_id)
    if entry is None:
        if waits_in_lane(group, message_id, key):
            group.passed += 1
            s.changed(group.queue, group)
        return
    remove_entry(s, group, entry)
    if entry.ordering_key is not None:
        let_go(s, group, entry.ordering_key, message_id)


def purge(s: Session, queue: Queue) -> int:
    """Remove every message. Returns how many."""
    removed = queue.stored
    for group in queue.groups.values():
        empty_group(s, group)
        group.cursor = s.last_id
        group.passed = queue.lane_sent
        group.waiting = group.leased = 0
        s.changed(queue, group)
    s.run(_EMPTY_QUEUE, queue.base, queue.base + keys.APART + keys.ID_MAX)
    queue.stored = queue.bytes = queue.lane_stored = queue.floor = 0
    s.changed(queue)
    return removed


def empty_group(s: Session, group: Group) -> None:
    """Delete a group's entries and held keys; its counters are the caller's."""
    s.run(_EMPTY_GROUP, group.id)
    let_all_go(s, group)

"""Queues: create, change, delete, list, count."""

from copy import copy

from crossdock.core.model import Address, GroupStats, QueueStats, Settings
from crossdock.core.policy import check_cycle, check_same_kind

from . import catalog, keys
from .catalog import Group, Queue
from .removal import purge
from .session import Session

_ADDRESSES = "SELECT namespace, name FROM queues WHERE ?1 IS NULL OR namespace = ?1 ORDER BY namespace, name"
_DELETE_QUEUE = "DELETE FROM queues WHERE id = ?"
_DELETE_GROUPS = "DELETE FROM groups WHERE queue_id = ?"
_DELETE_DEDUP = "DELETE FROM dedup WHERE queue_id = ?"
_DELAYED = """SELECT count(*) FROM entries INDEXED BY entries_delayed
WHERE delayed = 1 AND deliver_at > ? AND group_id = ?"""
# When the stored message with the lowest id was sent; the lane and the messages apart are ranges of their own.
_OLDEST = """SELECT key & ?1 AS id, enqueued_at FROM (
    SELECT * FROM (SELECT key, enqueued_at FROM messages WHERE key BETWEEN ?2 AND ?2 + ?1 ORDER BY key LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT key, enqueued_at FROM messages WHERE key BETWEEN ?3 AND ?3 + ?1 ORDER BY key LIMIT 1)
) ORDER BY id LIMIT 1"""


def create_queue(s: Session, address: Address, settings: Settings) -> bool:
    """See Store."""
    existing = s.find_queue(address)
    if existing is not None:
        check_same_kind(existing.settings, settings)
        return False
    _check_cycle(s, address, settings)
    catalog.add_queue(s, address, settings)
    return True


def update_queue(s: Session, address: Address, settings: Settings) -> None:
    """See Store."""
    queue = s.queue(address)
    check_same_kind(queue.settings, settings)
    _check_cycle(s, address, settings)
    if queue.rules.paused and not settings.paused:
        s.ready.add(address)
    catalog.save_settings(s, queue, settings)


def _check_cycle(s: Session, address: Address, settings: Settings) -> None:
    namespace, name = address

    def settings_of(other: str) -> Settings | None:
        queue = s.find_queue((namespace, other))
        return None if queue is None else queue.settings

    check_cycle(name, settings, settings_of)


def delete_queue(s: Session, address: Address) -> None:
    """See Store."""
    queue = s.queue(address)
    purge(s, queue)
    for statement in (_DELETE_GROUPS, _DELETE_DEDUP, _DELETE_QUEUE):
        s.run(statement, queue.id)
    catalog.delete_counters(s, keys.counters_of(queue.id), keys.counters_of(queue.id + 1))
    s.forget_queue(queue)
    s.touched.add(address)


def queues(s: Session, namespace: str | None) -> list[Address]:
    """See Store."""
    return [(space, name) for space, name in s.all(_ADDRESSES, namespace)]


def stats(s: Session, address: Address) -> QueueStats:
    """See Store."""
    queue = s.queue(address)
    groups = {group.name: _count(s, group) for group in queue.groups.values()}
    dead = s.find_queue((address[0], queue.rules.dead_letter))
    return QueueStats(
        name=address[1],
        settings=queue.settings,
        stored=queue.stored,
        bytes=queue.bytes,
        ready=sum(count.ready for count in groups.values()),
        delayed=sum(count.delayed for count in groups.values()),
        leased=sum(count.leased for count in groups.values()),
        dead=0 if dead is None else dead.stored,
        oldest=_oldest(s, queue),
        groups={group.name: groups[group.name] for group in sorted(queue.named(), key=lambda group: group.name)},
        totals=copy(queue.totals),
    )


def _count(s: Session, group: Group) -> GroupStats:
    (delayed,) = s.one(_DELAYED, s.now, group.id) or (0,)
    return GroupStats(group.in_lane + group.waiting - delayed, delayed, group.leased)


def _oldest(s: Session, queue: Queue) -> int:
    _, enqueued_at = s.one(_OLDEST, keys.ID_MAX, queue.base, queue.base + keys.APART) or (0, 0)
    return int(enqueued_at)

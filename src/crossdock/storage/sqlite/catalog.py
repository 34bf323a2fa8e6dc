"""Queues and groups as the writer thread holds them, and how their rows are read and written.

The objects are a cache: right while no other process commits, thrown away when one did. Verbs change their counters;
the rows follow once a transaction.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from crossdock.core.limits import GROUPS_MAX, QUEUES_MAX
from crossdock.core.model import Address, Settings, Totals
from crossdock.core.policy import Rules, too_many_groups, too_many_queues

from . import keys

if TYPE_CHECKING:
    from .session import Session

Counters = tuple[int, str]
"""A row of `counters`."""

NAMELESS = ""
"""Name of the group that keeps the messages of a queue while it has no other."""

_FIND_QUEUE = "SELECT id, settings FROM queues WHERE namespace = ? AND name = ?"
_QUEUE_OF_GROUP = "SELECT q.namespace, q.name FROM groups g JOIN queues q ON q.id = g.queue_id WHERE g.id = ?"
_GROUPS = "SELECT id, name FROM groups WHERE queue_id = ? ORDER BY id"
_COUNTERS = "SELECT number, counts FROM counters WHERE number >= ? AND number < ?"
_SAVE_COUNTERS = """INSERT INTO counters (number, counts) VALUES (?, ?)
ON CONFLICT (number) DO UPDATE SET counts = excluded.counts"""
_DELETE_COUNTERS = "DELETE FROM counters WHERE number >= ? AND number < ?"
_SAVE_SETTINGS = "UPDATE queues SET settings = ? WHERE id = ?"
_ADD_QUEUE = "INSERT INTO queues (id, namespace, name, settings) VALUES (?, ?, ?, ?)"
_ADD_GROUP = "INSERT INTO groups (queue_id, name) VALUES (?, ?)"
_RENAME_GROUP = "UPDATE groups SET name = ? WHERE id = ?"
_COUNT_QUEUES = "SELECT count(*), ifnull(max(id), 0) + 1 FROM queues"
# The first number that is free below one in use; used when the numbers reach their end.
_FREE_NUMBER = """SELECT min(number) FROM (
    SELECT 1 AS number WHERE NOT EXISTS (SELECT 1 FROM queues WHERE id = 1)
    UNION ALL
    SELECT q.id + 1 FROM queues q WHERE NOT EXISTS (SELECT 1 FROM queues WHERE id = q.id + 1)
)"""


class Group:
    """A group of a queue; see the schema for the counters."""

    __slots__ = ("cursor", "id", "leased", "name", "passed", "queue", "waiting")

    def __init__(self, queue: "Queue", group_id: int, name: str, counts: Sequence[int] = (0, 0, 0, 0)) -> None:
        self.queue = queue
        self.id = group_id
        self.name = name
        self.cursor, self.passed, self.waiting, self.leased = counts

    def counters(self) -> Counters:
        """The row of the counters."""
        counts = (self.cursor, self.passed, self.waiting, self.leased)
        return keys.counters_of(self.queue.id, self.id), _encode(counts)

    @property
    def in_lane(self) -> int:
        """Messages in the lane that the group did not come to yet."""
        return self.queue.lane_sent - self.passed


class Queue:
    """A queue with its groups by name, in the order they were created."""

    __slots__ = (
        "address",
        "base",
        "bytes",
        "floor",
        "groups",
        "id",
        "lane_due",
        "lane_sent",
        "lane_stored",
        "news",
        "rules",
        "settings",
        "stored",
        "totals",
    )

    def __init__(
        self, queue_id: int, address: Address, settings: Settings, rules: Rules, counts: Sequence[int] = (0,) * 6
    ) -> None:
        self.id = queue_id
        self.address = address
        self.base = keys.queue_base(queue_id)
        self.settings = settings
        self.rules = rules
        self.stored, self.bytes, self.lane_sent, self.lane_stored, self.lane_due, self.floor = counts[:6]
        self.totals = Totals(*counts[6:])
        self.groups: dict[str, Group] = {}
        self.news = 0
        """Messages sent in this transaction."""

    def counters(self) -> Counters:
        """The row of the counters."""
        counts = (self.stored, self.bytes, self.lane_sent, self.lane_stored, self.lane_due, self.floor)
        return keys.counters_of(self.id), _encode((*counts, *msgspec.structs.astuple(self.totals)))

    def named(self) -> list[Group]:
        """The groups that a caller can see."""
        return [group for group in self.groups.values() if group.name != NAMELESS]

    def reader(self, name: str) -> Group | None:
        """The group a caller means, None when there is none."""
        return self.groups.get(name)


def find_queue(s: "Session", address: Address) -> Queue | None:
    """Read a queue and its groups."""
    row = s.one(_FIND_QUEUE, *address)
    if row is None:
        return None
    queue_id = row[0]
    settings = msgspec.json.decode(row[1], type=Settings)
    counts = read_counters(s, keys.counters_of(queue_id), keys.counters_of(queue_id + 1))
    rules = Rules(address[1], settings, s.defaults)
    queue = Queue(queue_id, address, settings, rules, counts[keys.counters_of(queue_id)])
    for group_id, name in s.all(_GROUPS, queue_id):
        queue.groups[name] = Group(queue, group_id, name, counts[keys.counters_of(queue_id, group_id)])
    return queue


def read_counters(s: "Session", first: int, end: int) -> dict[int, list[int]]:
    """Counters by number, from `first` to before `end`."""
    return {number: msgspec.json.decode(counts, type=list[int]) for number, counts in s.all(_COUNTERS, first, end)}


def address_of_group(s: "Session", group_id: int) -> Address:
    """Address of the queue that has the group."""
    namespace, name = s.one(_QUEUE_OF_GROUP, group_id) or ("", "")
    return namespace, name


def save(s: "Session", queues: Iterable[Queue], groups: Iterable[Group], of_store: tuple[int, int] | None) -> None:
    """Write the counters that verbs changed; those of the store, (last id, last epoch), unless None."""
    rows = [group.counters() for group in groups]
    for queue in queues:
        queue.news = 0
        rows.append(queue.counters())
    if of_store is not None:
        rows.append((keys.STORE_COUNTERS, _encode(of_store)))
    if rows:
        s.many(_SAVE_COUNTERS, rows)


def delete_counters(s: "Session", first: int, end: int) -> None:
    """Delete the counters with numbers from `first` to before `end`."""
    s.run(_DELETE_COUNTERS, first, end)


def _encode(counts: tuple[int, ...]) -> str:
    return msgspec.json.encode(counts).decode()


def add_queue(s: "Session", address: Address, settings: Settings) -> Queue:
    """Create a queue. Raises QueueFull at the bound of the store."""
    count, number = s.one(_COUNT_QUEUES) or (0, 1)
    if count >= QUEUES_MAX:
        raise too_many_queues()
    if number > keys.QUEUES_MAX:
        (number,) = s.one(_FREE_NUMBER) or (1,)
    s.run(_ADD_QUEUE, number, *address, msgspec.json.encode(settings).decode())
    queue = Queue(number, address, settings, Rules(address[1], settings, s.defaults))
    s.remember_queue(queue)
    if settings.kind == "queue":
        _insert_group(s, queue, NAMELESS)
    s.changed(queue)
    return queue


def save_settings(s: "Session", queue: Queue, settings: Settings) -> None:
    """Let a queue follow new settings."""
    s.run(_SAVE_SETTINGS, msgspec.json.encode(settings).decode(), queue.id)
    queue.settings = settings
    queue.rules = Rules(queue.address[1], settings, s.defaults)
    s.changed(queue)


def add_group(s: "Session", queue: Queue, name: str, cursor: int, passed: int) -> Group:
    """Create a group that stands at `cursor`. Raises QueueFull at the bound of the queue."""
    if len(queue.named()) >= GROUPS_MAX:
        raise too_many_groups(queue.address[1])
    group = _insert_group(s, queue, name)
    group.cursor, group.passed = cursor, passed
    return group


def _insert_group(s: "Session", queue: Queue, name: str) -> Group:
    s.run(_ADD_GROUP, queue.id, name)
    group = Group(queue, s.connection.last_insert_rowid(), name)
    s.remember_group(group)
    s.changed(queue, group)
    return group


def rename_group(s: "Session", group: Group, name: str) -> None:
    """Give a group another name; nothing else of it changes."""
    s.run(_RENAME_GROUP, name, group.id)
    groups = group.queue.groups
    del groups[group.name]
    group.name = name
    groups[name] = group
    s.changed(group.queue, group)

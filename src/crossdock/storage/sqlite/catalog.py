"""Queues and groups as the writer thread holds them, and how their rows are read and written.

The objects are a cache: right while no other process commits, thrown away when one did. Verbs change their counters;
the rows follow once a transaction.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from crossdock.core.errors import QueueFull
from crossdock.core.limits import GROUPS_MAX, QUEUES_MAX
from crossdock.core.model import Address, Settings, Totals
from crossdock.core.policy import Rules

from . import keys

if TYPE_CHECKING:
    from .session import Session

NAMELESS = ""
"""Name of the group that keeps the messages of a queue while it has no other."""

_FIND_QUEUE = """SELECT id, namespace, name, settings, totals, stored, bytes, lane_sent, lane_stored, lane_due, floor
FROM queues WHERE namespace = ? AND name = ?"""
_QUEUE_OF_GROUP = "SELECT q.namespace, q.name FROM groups g JOIN queues q ON q.id = g.queue_id WHERE g.id = ?"
_GROUPS = "SELECT id, name, cursor, passed, waiting, leased FROM groups WHERE queue_id = ? ORDER BY id"
_SAVE_QUEUE = """UPDATE queues
SET totals = ?, stored = ?, bytes = ?, lane_sent = ?, lane_stored = ?, lane_due = ?, floor = ? WHERE id = ?"""
_SAVE_GROUP = "UPDATE groups SET cursor = ?, passed = ?, waiting = ?, leased = ? WHERE id = ?"
_SAVE_SETTINGS = "UPDATE queues SET settings = ? WHERE id = ?"
_ADD_QUEUE = "INSERT INTO queues (id, namespace, name, settings, totals) VALUES (?, ?, ?, ?, '{}')"
_ADD_GROUP = "INSERT INTO groups (queue_id, name, cursor, passed) VALUES (?, ?, ?, ?)"
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

    def __init__(self, queue: "Queue", row: tuple[Any, ...]) -> None:
        self.queue = queue
        self.id: int = row[0]
        self.name: str = row[1]
        self.cursor: int = row[2]
        self.passed: int = row[3]
        self.waiting: int = row[4]
        self.leased: int = row[5]

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

    def __init__(self, row: tuple[Any, ...], defaults: Settings) -> None:
        self.id: int = row[0]
        namespace, name, settings, totals = row[1:5]
        self.stored: int = row[5]
        self.bytes: int = row[6]
        self.lane_sent: int = row[7]
        self.lane_stored: int = row[8]
        self.lane_due: int = row[9]
        self.floor: int = row[10]
        self.address: Address = (namespace, name)
        self.base = keys.queue_base(self.id)
        self.settings = msgspec.json.decode(settings, type=Settings)
        self.rules = Rules(name, self.settings, defaults)
        self.totals = msgspec.json.decode(totals, type=Totals)
        self.groups: dict[str, Group] = {}
        self.news = 0
        """Messages sent in this transaction."""

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
    queue = Queue(row, s.defaults)
    for group_row in s.all(_GROUPS, queue.id):
        group = Group(queue, group_row)
        queue.groups[group.name] = group
    return queue


def address_of_group(s: "Session", group_id: int) -> Address:
    """Address of the queue that has the group."""
    namespace, name = s.one(_QUEUE_OF_GROUP, group_id) or ("", "")
    return namespace, name


def save(s: "Session", queues: set[Queue], groups: set[Group]) -> None:
    """Write the counters that verbs changed."""
    for q in queues:
        q.news = 0
        totals = msgspec.json.encode(q.totals).decode()
        s.run(_SAVE_QUEUE, totals, q.stored, q.bytes, q.lane_sent, q.lane_stored, q.lane_due, q.floor, q.id)
    if groups:
        s.many(_SAVE_GROUP, [(g.cursor, g.passed, g.waiting, g.leased, g.id) for g in groups])


def add_queue(s: "Session", address: Address, settings: Settings) -> Queue:
    """Create a queue. Raises QueueFull at the bound of the store."""
    count, number = s.one(_COUNT_QUEUES) or (0, 1)
    if count >= QUEUES_MAX:
        raise QueueFull(f"the store has {QUEUES_MAX} queues already")
    if number > keys.QUEUES_MAX:
        (number,) = s.one(_FREE_NUMBER) or (1,)
    s.run(_ADD_QUEUE, number, *address, msgspec.json.encode(settings).decode())
    if settings.kind == "queue":
        s.run(_ADD_GROUP, number, NAMELESS, 0, 0)
    queue = s.queue(address)
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
        raise QueueFull(f"queue {queue.address[1]!r} has {GROUPS_MAX} groups already")
    s.run(_ADD_GROUP, queue.id, name, cursor, passed)
    group = Group(queue, (s.connection.last_insert_rowid(), name, cursor, passed, 0, 0))
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

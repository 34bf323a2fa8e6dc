"""What is known of the file through one connection: the counters, the queues that were read, what is due.

Used by one thread, which is the writer's but for sends in a caller's transaction (`joining`). `transaction` opens and
ends transactions; verbs run inside one.
"""

from collections.abc import Callable, Iterable
from typing import Any

import apsw

from crossdock.core.errors import QueueNotFound, StoreUnavailable
from crossdock.core.model import Address, Settings

from . import catalog, keys
from .catalog import Group, Queue

NEVER = 2**63 - 1
QUEUES_CACHED_MAX = 10_000

Row = tuple[Any, ...]

_GENERATION = "SELECT generation FROM store"
_ADD_TO_LANE = """INSERT INTO messages
(key, body, headers, priority, enqueued_at, deliver_at, expires_at, dedup_id) VALUES (?1, ?2, ?3, 0, ?4, ?4, 0, ?5)"""
# The first lease, expiry, dedup window or delay to end. Four index look-ups.
_FIRST_DUE = """SELECT min(
    ifnull((SELECT min(lease_until) FROM entries WHERE lease_until > 0), ?1),
    ifnull((SELECT min(expires_at) FROM entries WHERE expires_at > 0 AND lease_until = 0), ?1),
    ifnull((SELECT min(until) FROM dedup), ?1),
    ifnull((SELECT min(deliver_at) FROM entries WHERE delayed = 1 AND deliver_at > ?2), ?1))"""


class Session:
    """The state over one connection. `reached` is told when a step is reached, for crash tests."""

    def __init__(
        self, connection: apsw.Connection, defaults: Settings, now: int, reached: Callable[[str], None]
    ) -> None:
        self.connection = connection
        self.defaults = defaults
        self.reached = reached
        self.now = now
        """Time of the verbs that run. Never falls."""
        self.delays_seen = now
        """Delays that ended up to here are in `ready`, or were."""
        self.ready: set[Address] = set()
        """Where something became ready since the last tick, by anything but a send."""
        self.touched: set[Address] = set()
        """Where the transaction did more than send."""
        self.generation = self.last_id = self.last_epoch = self.due = 0
        self.queues: dict[Address, Queue] = {}
        self._db = self.connection.cursor()
        self._groups: dict[int, Group] = {}
        self._changed_queues: set[Queue] = set()
        self._changed_groups: set[Group] = set()
        self._lane_rows: list[Row] = []
        self._saved = (0, 0)
        self.forget()

    # SQL. Rows of sends wait to be written together; whoever looks at the file first writes them.

    def run(self, sql: str, *args: Any) -> None:
        """Execute a statement that returns nothing."""
        if self._lane_rows:
            self.write_lane()
        self._db.execute(sql, args)

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Execute a statement for each of the rows."""
        if self._lane_rows:
            self.write_lane()
        self._db.executemany(sql, rows)

    def one(self, sql: str, *args: Any) -> Row | None:
        """The first row of a statement that finds one or none."""
        if self._lane_rows:
            self.write_lane()
        rows = self._db.execute(sql, args).fetchall()  # to the end: a statement left open would outlive the transaction
        return rows[0] if rows else None

    def all(self, sql: str, *args: Any) -> list[Any]:
        """All rows."""
        if self._lane_rows:
            self.write_lane()
        return self._db.execute(sql, args).fetchall()

    def add_to_lane(self, rows: Iterable[Row]) -> None:
        """Have messages, given as (key, body, headers, time, dedup id), written with those of other sends."""
        self._lane_rows += rows

    def write_lane(self) -> None:
        """Write the rows of the sends so far."""
        rows, self._lane_rows = self._lane_rows, []
        self._db.executemany(_ADD_TO_LANE, rows)

    # Queues and groups

    def queue(self, address: Address) -> Queue:
        """The queue at an address. Raises QueueNotFound."""
        queue = self.queues.get(address) or self.find_queue(address)
        if queue is None:
            raise QueueNotFound(address[1])
        return queue

    def find_queue(self, address: Address) -> Queue | None:
        """The queue at an address, None without one."""
        queue = self.queues.get(address)
        if queue is None:
            queue = catalog.find_queue(self, address)
            if queue is not None:
                self.remember_queue(queue)
        return queue

    def group(self, group_id: int) -> Group:
        """The group of an entry."""
        if group_id not in self._groups:
            self.queue(catalog.address_of_group(self, group_id))
        return self._groups[group_id]

    def remember_queue(self, queue: Queue) -> None:
        self.queues[queue.address] = queue
        self._groups.update((group.id, group) for group in queue.groups.values())

    def remember_group(self, group: Group) -> None:
        group.queue.groups[group.name] = group
        self._groups[group.id] = group

    def forget_queue(self, queue: Queue) -> None:
        """The queue was deleted."""
        del self.queues[queue.address]
        self._changed_queues.discard(queue)
        for group in list(queue.groups.values()):
            self.forget_group(group)

    def forget_group(self, group: Group) -> None:
        """The group was deleted."""
        del group.queue.groups[group.name]
        del self._groups[group.id]
        self._changed_groups.discard(group)

    def sent(self, queue: Queue, count: int) -> None:
        """Messages were sent: counters of the queue are to be saved."""
        queue.news += count
        self._changed_queues.add(queue)

    def changed(self, queue: Queue, group: Group | None = None) -> None:
        """Anything else happened: counters of the queue, and of the group, are to be saved."""
        self._changed_queues.add(queue)
        self.touched.add(queue.address)
        if group is not None:
            self._changed_groups.add(group)

    # Counters

    def take_ids(self, count: int) -> int:
        """The first of `count` new ids in a row."""
        first = self.last_id + 1
        self.last_id += count
        if self.last_id > keys.ID_MAX:
            raise StoreUnavailable(f"the store has used all {keys.ID_MAX} ids")
        return first

    def take_epoch(self) -> int:
        """A number for one hand-out."""
        self.last_epoch += 1
        return self.last_epoch

    def due_at(self, time: int) -> None:
        """Something falls due at `time`."""
        self.due = min(self.due, time)

    def find_due(self) -> None:
        """Look up when something falls due next, instead of a bound that may be too early."""
        (self.due,) = self.one(_FIRST_DUE, NEVER, self.now) or (NEVER,)

    # The cache

    def forget(self) -> None:
        """Forget what was read: another process committed, or a transaction was rolled back."""
        self.queues.clear()
        self._groups.clear()
        self._changed_queues.clear()
        self._changed_groups.clear()
        self._lane_rows.clear()
        self.touched.clear()
        self.generation = 0

    def load(self) -> None:
        """Inside a transaction: read the counters, unless they are known."""
        if len(self.queues) > QUEUES_CACHED_MAX:
            self.forget()
        if not self.generation:
            (self.generation,) = self.one(_GENERATION) or (0,)
            counts = catalog.read_counters(self, keys.STORE_COUNTERS, keys.STORE_COUNTERS + 1)
            self.last_id, self.last_epoch = counts.get(keys.STORE_COUNTERS, (0, 0))
            self._saved = (self.last_id, self.last_epoch)
            self.find_due()

    def save(self) -> list[tuple[Address, int]]:
        """Inside a transaction: write what verbs changed. Returns where that was, as `Store.watch` tells it."""
        news = [(queue.address, queue.news) for queue in self._changed_queues if queue.news]
        news += [(address, 0) for address in self.touched]
        self.touched.clear()
        if self._lane_rows:
            self.write_lane()
        of_store = (self.last_id, self.last_epoch)
        catalog.save(self, self._changed_queues, self._changed_groups, None if of_store == self._saved else of_store)
        self._saved = of_store
        self._changed_queues.clear()
        self._changed_groups.clear()
        return news

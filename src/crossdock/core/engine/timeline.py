"""Items by the time they fall due. Cheap where items arrive in order, which delays and expiry mostly do."""

import heapq
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

NEVER = 2**63
Rank = tuple[str, str, int, str]
"""(namespace, queue, kind of timeline, group)."""
_DEAD_MIN = 64


class Timed(Protocol):
    """What the engine's timer knows of a timeline."""

    scheduled: int
    """When the timer looks here next; NEVER when nothing is waiting."""
    timer: int
    """Which of the engine's timers that is."""
    rank: Rank
    """Of timelines that fall due together the lower goes first, so that it never depends on what was before."""

    def next_due(self) -> int: ...

    def fire(self, now: int) -> None: ...


class Timeline(Generic[T]):
    """A queue for items in order, a heap for the rest. Items that are no longer live are skipped when met.

    `due` is an item's time, `live` whether it still counts, `work` what to do with live items that fell due.
    `trim` keeps memory in proportion to what is live.
    """

    __slots__ = ("_due", "_in_order", "_live", "_rest", "_serial", "_work", "rank", "scheduled", "timer")

    def __init__(
        self,
        due: Callable[[T], int],
        live: Callable[[T], bool],
        work: Callable[[list[T], int], None],
        rank: Rank = ("", "", 0, ""),
    ) -> None:
        self._due = due
        self._live = live
        self._work = work
        self.rank = rank
        self.scheduled = NEVER
        self.timer = 0
        self._in_order: deque[tuple[int, T]] = deque()
        self._rest: list[tuple[int, int, T]] = []
        self._serial = 0

    def add(self, item: T) -> None:
        """Add one item. When its time changes it is to be added again; where it stood before it counts no more."""
        due = self._due(item)
        if not self._in_order or due >= self._in_order[-1][0]:
            self._in_order.append((due, item))
        else:
            self._serial += 1
            heapq.heappush(self._rest, (due, self._serial, item))

    def fire(self, now: int) -> None:
        """Do the work of the live items that are due."""
        due = self.pop_due(now)
        if due:
            self._work(due, now)

    def pop_due(self, now: int) -> list[T]:
        """Take out the live items that are due."""
        due: list[T] = []
        while self._in_order and self._in_order[0][0] <= now:
            at, item = self._in_order.popleft()
            if self._counts(at, item):
                due.append(item)
        while self._rest and self._rest[0][0] <= now:
            at, _, item = heapq.heappop(self._rest)
            if self._counts(at, item):
                due.append(item)
        return due

    def _counts(self, at: int, item: T) -> bool:
        return self._live(item) and self._due(item) == at

    def next_due(self) -> int:
        """When the first live item falls due, NEVER without any."""
        while self._in_order and not self._counts(*self._in_order[0]):
            self._in_order.popleft()
        while self._rest and not self._counts(self._rest[0][0], self._rest[0][2]):
            heapq.heappop(self._rest)
        first = self._in_order[0][0] if self._in_order else NEVER
        return min(first, self._rest[0][0]) if self._rest else first

    def pop_first(self) -> T | None:
        """Take out the first live item, None without any."""
        if self.next_due() == NEVER:
            return None
        if self._rest and (not self._in_order or self._rest[0][0] < self._in_order[0][0]):
            return heapq.heappop(self._rest)[2]
        return self._in_order.popleft()[1]

    def trim(self, live: int) -> None:
        """Drop dead items where they outnumber the `live` ones. Amortised O(1)."""
        if len(self._in_order) + len(self._rest) <= 2 * live + _DEAD_MIN:
            return
        if not live:
            self._in_order.clear()
            self._rest.clear()
        else:
            self._in_order = deque(each for each in self._in_order if self._counts(*each))
            self._rest = [ranked for ranked in self._rest if self._counts(ranked[0], ranked[2])]
            heapq.heapify(self._rest)

"""The leases of a group, by message and by the time they end."""

import heapq
from collections.abc import Callable, Sequence

from ..model import Delivery
from .timeline import NEVER, Rank

_DEAD_MIN = 64


class Leases:
    """`held` keeps leases in order of hand-out. Where they are equally long, as they mostly are, that is the order of
    their ends too, and costs a hand-out or an answer nothing. Leases that end out of that order are in a heap as well.

    A `Timed` for the engine's timer. `ended` is told of the leases that are over; it takes them out.
    """

    __slots__ = ("_early", "_ended", "_last", "_serial", "held", "rank", "scheduled", "timer")

    def __init__(self, ended: Callable[[list[Delivery], int], None], rank: Rank) -> None:
        self._ended = ended
        self.rank = rank
        self.held: dict[int, Delivery] = {}
        self._last = 0
        """When the last lease that was added in order ends."""
        self._early: list[tuple[int, int, Delivery]] = []
        self._serial = 0
        self.scheduled = NEVER
        self.timer = 0

    def added(self, leases: Sequence[Delivery], until: int) -> None:
        """Note leases that were just put at the end of `held` and end together."""
        if until >= self._last or len(self.held) == len(leases):
            self._last = until
            return
        if len(self._early) > 2 * len(self.held) + _DEAD_MIN:
            self._early = [ranked for ranked in self._early if self._live(ranked[2])]
            heapq.heapify(self._early)
        for lease in leases:
            self._serial += 1
            heapq.heappush(self._early, (until, self._serial, lease))

    def replace(self, lease: Delivery) -> None:
        """Put a longer or shorter lease in the place of the one the message has."""
        del self.held[lease.id]
        self.held[lease.id] = lease
        self.added((lease,), lease.lease_until)

    def _live(self, lease: Delivery) -> bool:
        return self.held.get(lease.id) is lease

    def next_due(self) -> int:
        """When the first lease ends, NEVER without any."""
        while self._early and not self._live(self._early[0][2]):
            heapq.heappop(self._early)
        first = next(iter(self.held.values())).lease_until if self.held else NEVER
        return min(first, self._early[0][0]) if self._early else first

    def fire(self, now: int) -> None:
        """Tell of the leases that are over."""
        over: dict[int, Delivery] = {}
        for lease in self.held.values():
            if lease.lease_until > now:
                break  # Those after it that end earlier are in the heap.
            over[lease.id] = lease
        while self._early and self._early[0][0] <= now:
            lease = heapq.heappop(self._early)[2]
            if self._live(lease):
                over[lease.id] = lease
        if over:
            self._ended(list(over.values()), now)

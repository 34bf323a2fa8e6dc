"""The waiting room: long polls, first come first served, one line for each group of a queue.

No wake-up is lost: whenever messages may be ready and a line has members, one of them is awake and about to look, or
the line remembers that it missed a wake-up. So a newcomer may lie down behind the others without looking first.
"""

import heapq
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from crossdock.core.errors import QueueClosed
from crossdock.core.limits import WAITERS_MAX
from crossdock.core.model import Address, Delivery

from .runtime import Runtime, Waiter

Take = Callable[[], Awaitable[list[Delivery]]]
"""Takes what is ready, without a wait."""


class Place:
    """One long poll's place in its line."""

    __slots__ = ("asleep", "deadline", "line", "over", "pass_on", "serial", "waiter", "woken")

    def __init__(self, line: "Line", serial: int, deadline: int) -> None:
        self.line = line
        self.serial = serial
        self.deadline = deadline
        """When the wait ends without a message; 0 once the place was given up."""
        self.over = False
        """Whether the wait has ended without a message."""
        self.asleep = False
        self.woken = False
        """Whether it holds a wake-up that it has not used yet."""
        self.pass_on = False
        """Whether that wake-up may stand for more than one message: the next in line looks too when there was one."""
        self.waiter: Waiter | None = None

    def wake(self, pass_on: bool) -> None:
        self.asleep = False
        self.woken = True
        self.pass_on = pass_on
        if self.waiter is not None:
            self.waiter.wake()


class Line:
    """The places of one group of a queue."""

    __slots__ = ("asleep", "members", "missed")

    def __init__(self) -> None:
        self.asleep: deque[Place] = deque()
        """Places that need not look, in order of arrival."""
        self.members = 0
        self.missed = False
        """Whether a wake-up found too few asleep: who comes or lies down next looks first."""

    def lie_down(self, place: Place) -> None:
        """Put a place among the sleepers, where its arrival says; or let it look when a wake-up was missed."""
        if self.missed:
            self.missed = False
            place.wake(pass_on=True)
            return
        place.asleep = True
        index = len(self.asleep)
        if self.asleep and self.asleep[-1].serial > place.serial:
            index = next(i for i, other in enumerate(self.asleep) if other.serial > place.serial)
        self.asleep.insert(index, place)

    def wake(self, count: int, pass_on: bool) -> int:
        """Wake up to `count` sleepers from the front; returns how many."""
        woken = min(count, len(self.asleep))
        for _ in range(woken):
            self.asleep.popleft().wake(pass_on)
        if woken < count:
            self.missed = True
        return woken


class WaitingRoom:
    """Who waits where. Safe to use from any thread; its lock is held over its own few lines only."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._lines: dict[Address, dict[str, Line]] = {}
        self._deadlines: list[tuple[int, int, Place]] = []
        self.watched: Callable[[bool], None] = lambda waiting: None
        """Called when the first comes in, before it looks for messages again, and when the last has left."""
        self.nudge: Callable[[], None] = lambda: None
        """Called when somebody lies down to wait: the next sweep may have to come sooner."""
        self.members = 0
        """How many wait, in all lines."""
        self._serial = 0
        self.closed = False
        """Whether waits are over for good."""
        self.wakeups = 0
        """Wake-ups for messages so far."""

    async def poll(
        self,
        address: Address,
        group: str,
        limit: int,
        wait: int,
        take: Take,
        joined: Callable[[Place], None] = lambda place: None,
    ) -> list[Delivery]:
        """What `take` brings, up to `limit` messages, waiting up to `wait` ms for the first.

        `joined` is told of the place in the line, if one is needed. Raises QueueClosed when the room is closed or full.
        """
        if group not in self._lines.get(address, ()):
            deliveries = await take()
            if deliveries or self.closed:
                return deliveries
        place = self.join(address, group, self._runtime.clock.now() + wait)
        try:
            joined(place)
            self.nudge()
            while True:
                waiter = self.ask(place)
                if waiter is not None:
                    await waiter
                if self.closed:
                    return []
                deliveries = await take()
                if deliveries:
                    self.served(place, full=len(deliveries) >= limit)
                    return deliveries
                if place.over:
                    return []
                self.lie_down(place)
        finally:
            self.leave(address, group, place)

    def join(self, address: Address, group: str, deadline: int) -> Place:
        """Take the last place of a line. Raises QueueClosed when the room is closed or full."""
        with self._lock:
            if self.closed:
                raise QueueClosed("the broker is shutting down")
            if self.members >= WAITERS_MAX:
                raise QueueClosed(f"{WAITERS_MAX} receives are waiting already")
            self.members += 1
            if self.members == 1:
                self.watched(True)
            self._serial += 1
            line = self._lines.setdefault(address, {}).setdefault(group, Line())
            place = Place(line, self._serial, deadline)
            line.members += 1
            if line.members == 1:
                place.wake(pass_on=True)  # Nobody looked on behalf of the first one.
            else:
                line.lie_down(place)
            heapq.heappush(self._deadlines, (deadline, place.serial, place))
            return place

    def ask(self, place: Place) -> Waiter | None:
        """Something to wait on; None when the place is to look now."""
        with self._lock:
            if place.woken or place.over:
                return None
            place.waiter = self._runtime.waiter()
            return place.waiter

    def lie_down(self, place: Place) -> None:
        """The place looked and found nothing: its wake-up is used up."""
        with self._lock:
            place.woken = False
            if not place.over:
                place.line.lie_down(place)

    def served(self, place: Place, full: bool) -> None:
        """The place got messages, with `full` as many as it wanted. Where there may be more, the next in line looks."""
        with self._lock:
            place.woken = place.pass_on and full

    def leave(self, address: Address, group: str, place: Place) -> None:
        """Give a place up. A wake-up that it holds goes to the next in line."""
        with self._lock:
            groups = self._lines[address]
            line = groups[group]
            if place.asleep:
                line.asleep.remove(place)
            elif place.woken:
                self.wakeups += line.wake(1, place.pass_on)
            place.deadline = 0
            self.members -= 1
            if not self.members:
                self.watched(False)
            line.members -= 1
            if not line.members:
                del groups[group]
                if not groups:
                    del self._lines[address]
            if len(self._deadlines) > 2 * self.members + 64:
                self._deadlines = [entry for entry in self._deadlines if entry[2].deadline]
                heapq.heapify(self._deadlines)

    def wake(self, address: Address, count: int) -> None:
        """Wake up to `count` of each group's line: that many messages became ready."""
        with self._lock:
            for line in self._lines.get(address, {}).values():
                self.wakeups += line.wake(count, pass_on=False)

    def wake_heads(self, addresses: Iterable[Address] | None = None) -> None:
        """Wake the first of each line, of these queues or of all: something may have become ready there."""
        with self._lock:
            for address in list(self._lines) if addresses is None else addresses:
                for line in self._lines.get(address, {}).values():
                    self.wakeups += line.wake(1, pass_on=True)

    def expire(self, now: int) -> int:
        """End the waits whose deadline has passed; returns the next deadline, 0 without any."""
        with self._lock:
            while self._deadlines:
                deadline, _, place = self._deadlines[0]
                if place.deadline and deadline > now:
                    return deadline
                heapq.heappop(self._deadlines)
                if place.deadline:
                    self._end(place)
            return 0

    def end(self, place: Place) -> None:
        """End one wait."""
        with self._lock:
            if place.deadline:
                self._end(place)

    def close(self) -> None:
        """End every wait; no new ones are taken."""
        with self._lock:
            self.closed = True
            for _, _, place in self._deadlines:
                if place.deadline:
                    self._end(place)

    def _end(self, place: Place) -> None:
        place.over = True
        if place.asleep:
            place.asleep = False
            place.line.asleep.remove(place)
        if place.waiter is not None:
            place.waiter.wake()

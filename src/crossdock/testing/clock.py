"""A clock that moves when told to, so that "12 hours later" takes milliseconds."""

import asyncio
import heapq
import threading
from collections.abc import Callable, Iterator

from crossdock.core.clock import Cancel

_LOOP_TURNS = 20
"""Turns of the event loop after each alarm: more than any chain of callbacks between an alarm and a reply needs."""


class VirtualClock:
    """A `crossdock.core.clock.Clock` in milliseconds, moved by `advance` alone. Any thread may use it.

    Wall and monotonic time are the same number. An alarm fires in the thread that moves the clock, at its own time:
    a callback reads `now()` as the time it asked for and may set new alarms inside the window being passed.
    An alarm set for a time that has come fires at once in a thread of its own, as the caller may hold locks.
    """

    def __init__(self, start: int = 1_700_000_000_000) -> None:
        self._now = start
        self._alarms: list[_Alarm] = []
        self._set = 0
        self._state = threading.Lock()

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self._now

    def alarm(self, at: int, fire: Callable[[], None]) -> Cancel:
        with self._state:
            self._set += 1
            alarm = _Alarm(at, self._set, fire)
            if at > self._now:
                heapq.heappush(self._alarms, alarm)
                return alarm.call_off
        threading.Thread(target=alarm.ring, name="crossdock-alarm", daemon=True).start()
        return alarm.call_off

    def advance(self, ms: int) -> None:
        """Move on by `ms`, firing what falls due on the way, in order. Alarms of one time fire as they were set.

        Returns when the last callback has returned. What a callback merely started (a task, a thread) may still be
        under way: await or join the result that is wanted, or see `sleep_through`.
        """
        for alarm in self._steps(ms):
            alarm.ring()

    async def sleep_through(self, ms: int) -> None:
        """`advance`, giving the running loop some turns before, between and after the alarms.

        So a task that an alarm wakes acts at the alarm's time, and the alarm that it sets next is not missed. That is
        all a store in memory needs; with a store that answers from a thread, await a result between two steps.
        """
        await _turns()
        for alarm in self._steps(ms):
            alarm.ring()
            await _turns()

    def _steps(self, ms: int) -> Iterator["_Alarm"]:
        """Move to each due alarm and yield it, then to the end."""
        if ms < 0:
            raise ValueError(f"ms must not be negative, got {ms}")
        end = self._now + ms
        while (alarm := self._move(end)) is not None:
            yield alarm

    def _move(self, end: int) -> "_Alarm | None":
        with self._state:
            while self._alarms and self._alarms[0].at <= end:
                due = heapq.heappop(self._alarms)
                if due.fire is not None:
                    self._now = max(self._now, due.at)
                    return due
            self._now = max(self._now, end)
            return None


class _Alarm:
    __slots__ = ("at", "fire", "number")

    def __init__(self, at: int, number: int, fire: Callable[[], None]) -> None:
        self.at = at
        self.number = number
        self.fire: Callable[[], None] | None = fire

    def __lt__(self, other: "_Alarm") -> bool:
        return (self.at, self.number) < (other.at, other.number)

    def ring(self) -> None:
        fire, self.fire = self.fire, None
        if fire is not None:
            fire()

    def call_off(self) -> None:
        self.fire = None


async def _turns() -> None:
    for _ in range(_LOOP_TURNS):
        await asyncio.sleep(0)

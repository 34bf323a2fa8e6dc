"""The real clocks. Wall time is read once, at the start, and then advanced by the monotonic clock: a step of the wall
clock moves no lease and no delay of a running process (F23); a process takes the stepped time up when it starts next.
"""

import asyncio
import heapq
import threading
import time
from collections.abc import Callable
from itertools import count

from crossdock.core.clock import Cancel

_MS = 1_000_000
_WALL_OFFSET_MS = (time.time_ns() - time.monotonic_ns()) // _MS


class SystemClock:
    """`now` and `monotonic` of the machine."""

    @staticmethod
    def now(_monotonic_ns: Callable[[], int] = time.monotonic_ns, _offset: int = _WALL_OFFSET_MS) -> int:
        # The defaults make locals of them; dividing first keeps the numbers in one machine word.
        return _monotonic_ns() // _MS + _offset

    @staticmethod
    def monotonic() -> int:
        return time.monotonic_ns() // _MS


class LoopClock(SystemClock):
    """Alarms on an asyncio loop. To be used in the loop's own thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def alarm(self, at: int, fire: Callable[[], None]) -> Cancel:
        return self._loop.call_later(max(0, at - self.now()) / 1000, fire).cancel


class ThreadClock(SystemClock):
    """Alarms from one daemon thread, which lives while there are any."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._running = False

    def alarm(self, at: int, fire: Callable[[], None]) -> Cancel:
        with self._changed:
            number = next(self._numbers)
            heapq.heappush(self._alarms, (at, number, fire))
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="crossdock-alarm", daemon=True).start()
            self._changed.notify()
        return lambda: self._cancel(number)

    def _cancel(self, number: int) -> None:
        with self._changed:
            self._alarms = [alarm for alarm in self._alarms if alarm[1] != number]
            heapq.heapify(self._alarms)
            self._changed.notify()

    def _run(self) -> None:
        while (fire := self._next()) is not None:
            fire()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the first alarm; None, and the thread is to end, when none is left."""
        with self._changed:
            while self._alarms:
                wait_ms = self._alarms[0][0] - self.now()
                if wait_ms <= 0:
                    return heapq.heappop(self._alarms)[2]
                self._changed.wait(wait_ms / 1000)
            self._running = False
            return None

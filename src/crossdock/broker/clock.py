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
        return _monotonic_ns() // 1_000_000 + _offset

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
    """Alarms from one daemon thread, which is started by the first of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._numbers = count()
        self._thread: threading.Thread | None = None

    def alarm(self, at: int, fire: Callable[[], None]) -> Cancel:
        number = next(self._numbers)
        with self._changed:
            heapq.heappush(self._alarms, (at, number, fire))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="crossdock-alarm", daemon=True)
                self._thread.start()
            self._changed.notify()
        return lambda: self._cancel(number)

    def _cancel(self, number: int) -> None:
        with self._changed:
            if any(alarm[1] == number for alarm in self._alarms):
                self._cancelled.add(number)

    def _run(self) -> None:
        while True:
            self._next()()

    def _next(self) -> Callable[[], None]:
        """Wait for the first alarm that is due and not cancelled."""
        with self._changed:
            while True:
                while self._alarms and self._alarms[0][1] in self._cancelled:
                    self._cancelled.discard(heapq.heappop(self._alarms)[1])
                if not self._alarms:
                    self._changed.wait()
                    continue
                wait_ms = self._alarms[0][0] - self.now()
                if wait_ms <= 0:
                    return heapq.heappop(self._alarms)[2]
                self._changed.wait(wait_ms / 1000)

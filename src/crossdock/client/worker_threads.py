"""Threads for functions that block."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """Up to `size` threads, started when needed and kept. To be used from one event loop.

    They are daemons, so that a process can end although a function does not return; an executor's threads would hold
    it up. The caller does not ask for more than `size` calls at once.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._busy = 0
        self._started = 0

    def run(self, call: Callable[[], T], late: Callable[[T], None]) -> asyncio.Future[T]:
        """Do `call`, which raises nothing, in a thread. Once the future is cancelled, its result goes to `late`."""
        future: asyncio.Future[T] = self._loop.create_future()

        def hand_over(result: T) -> None:
            self._busy -= 1
            if future.cancelled():
                late(result)
            else:
                future.set_result(result)

        def work() -> None:
            result = call()
            try:
                self._loop.call_soon_threadsafe(hand_over, result)
            except RuntimeError:  # The loop is closed: the worker has ended meanwhile.
                late(result)

        self._busy += 1
        if self._busy > self._started and self._started < self._size:
            self._started += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        self._calls.put(work)
        return future

    def stop(self) -> None:
        """Let the threads end, each when its call has ended."""
        for _ in range(self._started):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

"""A thread with an asyncio loop, for blocking callers of what has to wait."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from crossdock.core.errors import QueueClosed

T = TypeVar("T")

GRACE_SECONDS = 5.0
"""How long a stopping loop lets its tasks end by themselves."""


class Runner(Protocol):
    """Awaits something for a blocking caller."""

    def __call__(self, step: Awaitable[T]) -> T: ...


class LoopThread:
    """Runs awaitables on its loop while the caller blocks. Ctrl-C in the caller cancels what it waits for."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._gate = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._loop.run_forever, name="crossdock-client", daemon=True)
        self._thread.start()

    def run(self, step: Awaitable[T]) -> T:
        """Await `step` on the loop. Raises what it raises; QueueClosed after `stop`."""
        with self._gate:
            if not self._open:
                if asyncio.iscoroutine(step):
                    step.close()
                raise QueueClosed("the connection is closed")
            future = asyncio.run_coroutine_threadsafe(_await(step), self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise QueueClosed("the connection was closed meanwhile") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the loop and the thread. What other threads wait for ends first, by itself or cancelled."""
        with self._gate:
            self._open = False
        asyncio.run_coroutine_threadsafe(_end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _await(step: Awaitable[T]) -> T:
    return await step


async def _end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, late = await asyncio.wait(others, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()

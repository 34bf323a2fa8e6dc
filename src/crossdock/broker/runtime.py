"""What the broker needs of its surroundings: a clock, something to wait on, something that runs in the background.

`ThreadRuntime` serves blocking callers: `drive` runs a coroutine in the calling thread and blocks where it waits.
`AsyncRuntime` serves an asyncio loop. Broker code is the same for both.
"""

import asyncio
import random
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

from crossdock.core.clock import Clock
from crossdock.core.errors import CrossdockError
from crossdock.core.model import Done

from .clock import LoopClock, ThreadClock

T = TypeVar("T")
Step = Coroutine[Any, Any, T]


class Waiter(Protocol):
    """Awaited once, by one caller; `wake` may come from any thread, before or after, any number of times."""

    def wake(self) -> None: ...

    def __await__(self) -> Generator[Any, None, None]: ...


class Runtime(Protocol):
    """The surroundings of one broker."""

    @property
    def clock(self) -> Clock: ...

    def waiter(self) -> Waiter: ...

    def spawn(self, step: Callable[[], Step[None]]) -> None:
        """Run `step` on the broker's own behalf, now or soon. May be called from any thread."""
        ...

    async def finish(self, step: Awaitable[T], undo: Callable[[T], Step[None]]) -> T:
        """Await `step`, which goes on when the caller is cancelled; its result is then given to `undo` (F10)."""
        ...

    async def settle(self) -> None:
        """Wait for what was spawned, and for what cancelled callers left behind."""
        ...

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


class ThreadWaiter:
    """A wait that blocks the thread which drives the coroutine."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wake(self) -> None:
        if self._lock.locked():
            try:
                self._lock.release()
            except RuntimeError:  # Another thread woke it between the two lines: it is awake.
                return

    def block(self) -> None:
        """Block the calling thread until woken."""
        self._lock.acquire()

    def __await__(self) -> Generator["ThreadWaiter", None, None]:
        yield self


class _Raised:
    """An exception on its way out of a driver."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


@types.coroutine
def _driver() -> Generator[Any, Any, None]:
    """Runs one coroutine after the other. Its results come by `yield`, which is far cheaper than StopIteration."""
    result: Any = None
    while True:
        step = yield result
        try:
            result = yield from step.__await__()
        except BaseException as error:
            result = _Raised(error)


_idle_drivers: list[Any] = []
"""Drivers at rest. Every call takes one out: calls nest and come from many threads."""


def _new_driver() -> Any:
    driver: Any = _driver()
    driver.send(None)
    return driver


def drive(step: Awaitable[T]) -> T:
    """Await `step`, of a ThreadRuntime's broker, in the calling thread, blocking it where the step waits."""
    if isinstance(step, Done):
        finished: T = step.result
        return finished
    try:
        driver = _idle_drivers.pop()
    except IndexError:
        driver = _new_driver()
    result = driver.send(step)
    while result.__class__ is ThreadWaiter:
        try:
            result.block()
        except BaseException as interrupt:  # Ctrl-C while blocked: the coroutine cleans up as if cancelled.
            result = driver.throw(interrupt)
        else:
            result = driver.send(None)
    _idle_drivers.append(driver)
    if result.__class__ is _Raised:
        raise result.error
    outcome: T = result
    return outcome


class ThreadRuntime:
    """For blocking callers in any number of threads, over a store that never suspends."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or ThreadClock()
        self.random = random.random

    def waiter(self) -> Waiter:
        return ThreadWaiter()

    def spawn(self, step: Callable[[], Step[None]]) -> None:
        drive(step())

    async def finish(self, step: Awaitable[T], undo: Callable[[T], Step[None]]) -> T:
        return await step

    async def settle(self) -> None: ...


class LoopWaiter:
    """A wait on an asyncio loop."""

    __slots__ = ("_future", "_loop", "_thread")

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._loop = loop
        self._thread = thread
        self._future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._set()
        else:
            self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    def __await__(self) -> Generator[Any, None, None]:
        return self._future.__await__()


class AsyncRuntime:
    """For one asyncio loop; to be made inside it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._under_way: set[asyncio.Future[Any]] = set()
        self.clock: Clock = clock or LoopClock(self._loop)
        self.random = random.random

    def waiter(self) -> Waiter:
        return LoopWaiter(self._loop, self._thread)

    def spawn(self, step: Callable[[], Step[None]]) -> None:
        if threading.get_ident() == self._thread:
            self._start(step)
        else:
            self._loop.call_soon_threadsafe(self._start, step)

    def _start(self, step: Callable[[], Step[None]]) -> None:
        self._keep(self._loop.create_task(step()))

    def _keep(self, future: asyncio.Future[Any]) -> None:
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

    async def finish(self, step: Awaitable[T], undo: Callable[[T], Step[None]]) -> T:
        task = asyncio.ensure_future(step)
        self._keep(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._start(lambda: _undo_when_done(task, undo))
            raise

    async def settle(self) -> None:
        while others := self._under_way - {asyncio.current_task()}:
            await asyncio.wait(others)


async def _undo_when_done(task: "asyncio.Future[T]", undo: Callable[[T], Step[None]]) -> None:
    try:
        result = await task
    except CrossdockError:
        return  # Nothing to undo, and who would have been told is gone.
    await undo(result)

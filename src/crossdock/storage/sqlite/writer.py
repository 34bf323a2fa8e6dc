"""The thread that does all reading and writing of one store in this process.

Callers on any asyncio loop put a verb in its queue and await the answer. It takes everything that is queued, runs it in
one transaction and answers after the commit: while one commit waits for the disk the next group gathers, so that many
callers share an fsync and nobody waits for a timer. Cancelling a caller does not cancel what it asked for (F10).
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable
from enum import Enum
from queue import Empty, SimpleQueue
from typing import TypeVar, TypeVarTuple, Unpack

from crossdock.core.errors import QueueClosed, StoreFailed, StoreUnavailable
from crossdock.core.model import Address
from crossdock.storage.base import Changed

from .call import Call
from .session import Session
from .transaction import Transactions

_log = logging.getLogger("crossdock.storage")

Args = TypeVarTuple("Args")
T = TypeVar("T")

POSTS_MAX = 1_000
"""Most posts in one transaction. A post is what one loop submitted in one of its turns."""
POLL_SECONDS = 0.025
"""How often an idle writer looks for commits of other processes, while somebody wants to know (F30)."""


class Signal(Enum):
    """What the queue carries besides calls."""

    LOOK = 1
    """Somebody began or ceased to watch."""
    END = 2


class Writer:
    """One thread over one session."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[list[Call] | Signal] = SimpleQueue()
        self._outboxes: dict[asyncio.AbstractEventLoop, list[Call]] = {}
        """What each loop has submitted in this turn of its; it goes to the thread in one piece at the turn's end."""
        self._gate = threading.Lock()
        """Held while calls are queued, so that none comes behind END."""
        self._open = False
        self._changed: Changed | None = None
        self._work: Transactions | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    def start(self, session: Session) -> None:
        """Begin to work. The session belongs to the thread from now on."""
        self._work = Transactions(session)
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._live, args=(self._work,), name="crossdock-sqlite", daemon=True)
        self._open = True
        self._thread.start()

    async def stop(self) -> None:
        """Finish what was submitted, checkpoint and close the file. A second call does nothing."""
        self._post(asyncio.get_running_loop())
        with self._gate:
            thread, self._thread = self._thread, None
            if thread is None or os.getpid() != self._process:
                return
            self._open = False
            self._queue.put(Signal.END)
        await asyncio.to_thread(thread.join)

    def submit(self, verb: Callable[[Session, Unpack[Args]], T], now: int, *args: *Args) -> "asyncio.Future[T]":
        """Have `verb` run in a transaction at `now` with the other arguments. The future is done after the commit."""
        if not self._open:
            raise QueueClosed("the store is not open")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        outbox = self._outboxes.get(loop)
        if outbox is None:
            self._check_process()
            outbox = self._outboxes[loop] = []
            loop.call_soon(self._post, loop)
        outbox.append(Call(verb, now, args, loop, future))
        return future

    def check_usable(self) -> None:
        """Raise what every call would be refused with now: not open, opened before a fork, given up after an error."""
        if not self._open or self._work is None:
            raise QueueClosed("the store is not open")
        self._check_process()
        if self._work.refusal:
            raise StoreFailed(self._work.refusal)

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreUnavailable("the store was opened before a fork: open one in each process")

    def _post(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over what the loop has submitted. Runs in the loop."""
        calls = self._outboxes.pop(loop, None)
        if calls is None:
            return
        with self._gate:
            if self._open:
                self._queue.put(calls)
                return
        for call in calls:
            call.error = QueueClosed("the store is closed")
        _answer_here(calls)

    def watch(self, changed: Changed | None) -> None:
        """See Store. `changed` is called in the writer thread, after the commit."""
        self._changed = changed
        self._queue.put(Signal.LOOK)

    # In the thread

    def _live(self, work: Transactions) -> None:
        going = True
        try:
            while going:
                calls, going = self._gather()
                if calls:
                    work.execute(calls)
                    _answer(calls)
                    work.checkpoint()
                else:
                    work.look_elsewhere()
                self._tell(work.take_news())
        finally:
            self._die()
            work.close()

    def _tell(self, news: list[tuple[Address | None, int]]) -> None:
        """Tell who watches what was committed. Whatever comes of that, the thread goes on."""
        changed = self._changed  # once: the loop may end the watch at any moment
        if changed is None:
            return
        try:
            for address, count in news:
                changed(address, count)
        except Exception:
            _log.exception("a watcher of the store failed")

    def _gather(self) -> tuple[list[Call], bool]:
        """Wait for calls and take all of them; and whether to go on."""
        try:
            items = [self._queue.get(timeout=POLL_SECONDS if self._changed is not None else None)]
        except Empty:
            return [], True
        items += [self._queue.get() for _ in range(min(self._queue.qsize(), POSTS_MAX))]
        calls = [call for item in items if isinstance(item, list) for call in item]
        return calls, Signal.END not in items

    def _die(self) -> None:
        """Leave nobody waiting, however the thread ends."""
        with self._gate:
            self._open = False
        left: list[Call] = []
        while not self._queue.empty():
            item = self._queue.get()
            if isinstance(item, list):
                left += item
        for call in left:
            call.error = StoreUnavailable("the store has stopped")
        _answer(left)


def _answer(calls: Iterable[Call]) -> None:
    """Hand every caller its answer: one wake-up for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Call]] = {}
    for call in calls:
        by_loop.setdefault(call.loop, []).append(call)
    for loop, answered in by_loop.items():
        if not loop.is_closed():
            try:
                loop.call_soon_threadsafe(_answer_here, answered)
            except RuntimeError:
                continue  # The loop was closed just now: nobody waits there any more.


def _answer_here(calls: Iterable[Call]) -> None:
    """Tell the callers, some of whom may have been cancelled meanwhile. Runs in their loop."""
    for call in calls:
        future = call.future
        if future.done():
            continue
        if call.error is None:
            future.set_result(call.result)
        else:
            future.set_exception(call.error)

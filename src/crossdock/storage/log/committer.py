"""The thread that writes and syncs the log, and tells who waits for it.

What the callers on a loop append in one of its turns goes to the disk together; while one commit is under way the next
gathers. So callers share a sync, and nobody waits for a timer.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from crossdock.core.errors import StoreFailed, StoreUnavailable
from crossdock.storage.wal.wal import Run, is_full

from .journal import Journal

_log = logging.getLogger("crossdock.storage")

LOOK_SECONDS = 0.5
"""How often a store on a full disk looks for room."""


class Committer:
    """One thread over one journal. `lock` is held by whoever uses the journal.

    `reached` is called in the thread with the name of each step, for crash tests. `committed` is called after each
    commit, without the lock, and told whether the disk is full.
    """

    def __init__(self, journal: Journal, reached: Callable[[str], None], committed: Callable[[bool], None]) -> None:
        self.lock = threading.Lock()
        self.failure: StoreFailed | None = None
        """Why the store accepts nothing any more: the disk failed, and what it holds is known after a restart only."""
        self._journal = journal
        self._reached = reached
        self._committed = committed
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        self._work: SimpleQueue[None] = SimpleQueue()
        self._ending = False
        self._process = os.getpid()
        self._full = False
        self._thread = threading.Thread(target=self._live, name="crossdock-log", daemon=True)
        self._thread.start()

    def durable(self) -> "asyncio.Future[None]":
        """Done when everything that was appended before is durable. With the lock held, in the caller's loop.

        Cancelling it does not undo anything (F10).
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = asyncio.Future(loop=loop)
        waiting = self._waiting.get(loop)
        if waiting is None:
            if os.getpid() != self._process:
                raise StoreUnavailable("the store was opened before a fork: open one in each process")
            waiting = self._waiting[loop] = []
            self._work.put(None)
        waiting.append(future)
        return future

    def stop(self) -> None:
        """Commit what was appended and end. Blocks."""
        self._ending = True
        self._work.put(None)
        self._thread.join()

    # In the thread

    def _live(self) -> None:
        while True:
            with suppress(Empty):
                self._work.get(timeout=LOOK_SECONDS if self._full else None)
            ending = self._ending  # before the last look for work
            self._commit()
            if ending:
                return

    def _commit(self) -> None:
        with self.lock:
            waiting, self._waiting = self._waiting, {}
            runs = self._take()
        if runs:
            self._write(runs)
        for loop, futures in waiting.items():
            try:
                loop.call_soon_threadsafe(self._answer, futures)
            except RuntimeError:
                continue  # The loop is closed: nobody waits there any more.
        if (runs or self._full) and self.failure is None:
            self._prepare()
            self._committed(self._full)

    def _take(self) -> list[Run]:
        if self.failure is not None:
            return []
        try:
            return self._journal.take()
        except Exception as error:
            self._fail(error)
            return []

    def _fail(self, error: Exception) -> None:
        """Accept nothing any more. What failed is never tried again: the system may have dropped what it could not
        write, and then a second sync would succeed (F15).
        """
        self.failure = StoreFailed(
            f"the log cannot be written: {error}. The outcome of the last calls is unknown; restart to go on"
        )
        _log.critical("%s", self.failure, exc_info=None if isinstance(error, OSError) else error)

    def _write(self, runs: list[Run]) -> None:
        wal, bodies = self._journal.wal, self._journal.bodies
        try:
            self._reached("before-write")
            wal.commit(runs)
            self._reached("after-sync")
        except Exception as error:
            self._fail(error)
            return
        if bodies.unwritten:
            with self.lock:
                bodies.written(wal.is_written)

    def _prepare(self) -> None:
        """Allocate room ahead, so that no caller has to."""
        journal = self._journal
        try:
            journal.wal.prepare(journal.reserve.for_all)
        except OSError as error:
            if not is_full(error):
                self._fail(error)
                return
            if not self._full:
                _log.warning("the disk is full, messages are refused: %s", error)
            self._full = True
            self._make_do()
        else:
            if self._full:
                _log.warning("there is room on the disk again")
            self._full = False

    def _make_do(self) -> None:
        """Let what was settled make room."""
        try:
            with self.lock:
                begun = self._journal.make_do()
        except OSError as error:
            if not is_full(error):
                self._fail(error)
            return
        if begun:
            self._work.put(None)

    def _answer(self, futures: "list[asyncio.Future[None]]") -> None:
        """Tell the callers, some of whom may have been cancelled meanwhile. Runs in their loop."""
        for future in futures:
            if future.done():
                continue
            if self.failure is None:
                future.set_result(None)
            else:
                future.set_exception(self.failure)

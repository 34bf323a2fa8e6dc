"""The thread that writes and syncs the log, and tells who waits for it.

What the callers on a loop append in one of its turns goes to the disk together; while one commit is under way the next
gathers. So callers share a sync, and nobody waits for a timer.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar, TypeVarTuple, Unpack

from crossdock.core.errors import QueueClosed, StoreFailed
from crossdock.storage.wal.wal import Run, is_full

from .journal import Journal

_log = logging.getLogger("crossdock.storage")

Args = TypeVarTuple("Args")
T = TypeVar("T")

LOOK_SECONDS = 0.5
"""How often a store on a full disk looks for room."""


class Committer:
    """One thread over one journal. `lock` is held by whoever uses the journal.

    `reached` is called in the thread with the name of each step, for crash tests. `committed` is called after each
    commit, without the lock, and told whether the disk is full.
    """

    def __init__(self, journal: Journal, reached: Callable[[str], None], committed: Callable[[bool], None]) -> None:
        self.lock = threading.Lock()
        self.failure = ""
        """Why the store accepts nothing any more: the disk failed, and what it holds is known after a restart only."""
        self.synced = journal.appended
        """How many records of the journal are durable."""
        self._journal = journal
        self._reached = reached
        self._committed = committed
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        self._work: SimpleQueue[None] = SimpleQueue()
        self._ending = False
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
            waiting = self._waiting[loop] = []
            self._work.put(None)
        waiting.append(future)
        return future

    def stop(self) -> None:
        """Commit what was appended and end. Blocks."""
        with self.lock:
            self._ending = True
        self._work.put(None)
        self._thread.join()

    def check(self) -> None:
        """Raise what every verb is refused with now: closed, failed. With the lock held."""
        if self.failure:
            raise StoreFailed(self.failure)
        if self._ending:
            raise QueueClosed("the store is closing")

    def fail(self, error: Exception) -> None:
        """Accept nothing any more: what is in memory and what is in the log may differ now.

        What failed is never tried again. The system may have dropped what it could not write, and then a second sync
        would succeed (F15).
        """
        if not self.failure:
            self.failure = (
                f"the log cannot be written: {error}. The outcome of the last calls is unknown; restart to go on"
            )
            _log.critical("%s", self.failure, exc_info=None if isinstance(error, OSError) else error)

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
            runs = self._try(self._journal.take) or []
            appended = self._journal.appended
        if runs:
            self._try(self._write, runs, appended)
        for loop, futures in waiting.items():
            try:
                loop.call_soon_threadsafe(self._answer, futures)
            except RuntimeError:
                continue  # The loop is closed: nobody waits there any more.
        if runs or self._full:
            self._try(self._prepare)
            self._try(self._committed, self._full)

    def _try(self, step: Callable[[Unpack[Args]], T], *args: *Args) -> T | None:
        """Do a step of a commit, unless the store has failed; whatever goes wrong in it fails the store."""
        if self.failure:
            return None
        try:
            return step(*args)
        except Exception as error:
            self.fail(error)
            return None

    def _write(self, runs: list[Run], appended: int) -> None:
        wal, unwritten = self._journal.wal, self._journal.bodies.unwritten
        self._reached("before-write")
        wal.commit(runs)
        self.synced = appended
        self._reached("after-sync")
        if unwritten:
            with self.lock:
                for place in [place for place in unwritten if wal.is_written(place)]:
                    del unwritten[place]

    def _prepare(self) -> None:
        """Allocate room ahead, so that no caller has to."""
        journal = self._journal
        try:
            journal.wal.prepare(journal.reserve.for_all)
        except OSError as error:
            if not is_full(error):
                raise
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
                raise
            return
        if begun:
            self._work.put(None)

    def _answer(self, futures: "list[asyncio.Future[None]]") -> None:
        """Tell the callers, some of whom may have been cancelled meanwhile. Runs in their loop."""
        for future in futures:
            if future.done():
                continue
            if not self.failure:
                future.set_result(None)
            else:
                future.set_exception(StoreFailed(self.failure))

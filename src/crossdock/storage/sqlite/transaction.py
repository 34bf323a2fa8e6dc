"""Calls into transactions: what is due first, then each call, then one commit for all of them.

A verb refuses (raises a CrossdockError) before it changes anything, so a refusal leaves the transaction good. Whatever
else goes wrong rolls all of it back, and each call is tried again alone: one caller's bad luck is not the others'.
"""

from collections.abc import Iterator
from itertools import groupby

import apsw

from crossdock.core.errors import CrossdockError, StoreFailed, StoreUnavailable
from crossdock.core.model import Address

from . import due
from .call import Call
from .disk import check_room
from .send import send, send_together
from .session import Session
from .trouble import is_fatal, unavailable

CHECKPOINT_PAGES = 1_000
"""The WAL is copied into the database whenever it grew by this many pages, after the callers were answered."""
_PATIENCE = 32
"""At so many times that a checkpoint makes other processes wait: their commits could keep it from ending for ever."""


class Transactions:
    """Runs calls in transactions on one session, and keeps the file in order between them."""

    def __init__(self, session: Session) -> None:
        self._s = session
        self._connection = session.connection
        self._data_version = 0
        self._wal_pages = 0
        self._checkpoint_at = CHECKPOINT_PAGES
        self.refusal = ""
        """Why nothing is accepted any more, once the connection cannot be trusted (F15)."""
        self._news: list[tuple[Address | None, int]] = []
        self._connection.set_wal_hook(self._committed)  # instead of SQLite's own, which hides a failed checkpoint

    def execute(self, calls: list[Call]) -> None:
        """Run the calls; each has a result or an error afterwards, and what it answers is on disk."""
        now = max(call.now for call in calls)
        try:
            if self.refusal:
                raise StoreFailed(self.refusal)
            self._do_due(now)
        except Exception as error:
            problem = self._give_up(error)
            for call in calls:
                call.error = problem
            return
        try:
            for call in self._after_sends(calls):
                call.error = None
                try:
                    call.result = call.verb(self._s, *call.args)
                except CrossdockError as refused:
                    call.error = refused
            self._commit()
        except Exception as error:
            problem = self._give_up(error)
            alone = len(calls) == 1 or bool(self.refusal)
            for call in calls:
                if alone:
                    call.error = problem
                else:
                    self.execute([call])

    def _after_sends(self, calls: list[Call]) -> Iterator[Call]:
        """Deal with sends that came to one queue in a row together; yields the other calls, each in its turn."""
        for where, run in groupby(calls, key=_sends_to):
            together = list(run)
            if where is None or not self._send_together(where, together):
                yield from together

    def _send_together(self, where: Address, calls: list[Call]) -> bool:
        """Deal with sends to one queue at once; False, and nothing done, when each must be looked at."""
        try:
            check_room(self._connection)
        except StoreUnavailable as full:
            for call in calls:
                call.error = full
            return True
        results = send_together(self._s, where, [call.args[1] for call in calls]) if len(calls) > 1 else None
        if results is None:
            return False
        for call, result in zip(calls, results, strict=True):
            call.result, call.error = result, None
        return True

    def take_news(self) -> list[tuple[Address | None, int]]:
        """What was committed since the last call, as `Store.watch` tells it."""
        news, self._news = self._news, []
        return news

    def look_elsewhere(self) -> None:
        """Notice commits of other processes while this one is idle."""
        try:
            self._read_data_version()
        except apsw.BusyError:
            return  # Another process is recovering the file; the next look is soon.
        except apsw.Error as error:
            self._give_up(error)

    def checkpoint(self) -> None:
        """Copy the WAL into the database when it has grown enough."""
        if self._wal_pages < self._checkpoint_at or self.refusal:
            return
        patient = self._wal_pages < CHECKPOINT_PAGES * _PATIENCE
        try:
            self._connection.wal_checkpoint(
                mode=apsw.SQLITE_CHECKPOINT_PASSIVE if patient else apsw.SQLITE_CHECKPOINT_RESTART
            )
        except apsw.Error as error:
            # Busy or full: nothing is lost while the WAL keeps the commits, and a later checkpoint tries again.
            if is_fatal(error):
                self._give_up(error)
        self._checkpoint_at = self._wal_pages + CHECKPOINT_PAGES

    def close(self) -> None:
        """Let go of the file. SQLite checkpoints when this is the last connection; else the WAL keeps the commits."""
        self._connection.close()

    def _do_due(self, now: int) -> None:
        """Begin a transaction in which nothing is due any more, after as many of bounded size as that takes."""
        s = self._s
        s.now = max(s.now, now)
        self._begin()
        while s.now >= s.due and due.work(s):
            self._commit()
            self._begin()

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._read_data_version()
        self._s.load()

    def _read_data_version(self) -> None:
        version = self._connection.execute("PRAGMA data_version").get
        if version != self._data_version:
            if self._data_version:  # else this is the first look
                self._news.append((None, 0))
            self._data_version = version
            self._s.forget()

    def _commit(self) -> None:
        s = self._s
        news = s.save()
        s.reached("before-commit")
        self._connection.execute("COMMIT")
        s.reached("after-commit")
        self._news += news

    def _committed(self, connection: apsw.Connection, name: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._checkpoint_at = CHECKPOINT_PAGES  # the WAL began anew
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _give_up(self, error: Exception) -> Exception:
        """Roll back; returns what to answer with. After an error that leaves the file in doubt nothing is accepted."""
        self._s.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except apsw.Error as worse:
            error = worse
        if not isinstance(error, apsw.Error):
            return error
        problem = unavailable(error, self._connection.filename)
        if is_fatal(error):
            problem = StoreFailed(f"{problem}. The outcome of the last calls is unknown; reopen the store")
            self.refusal = self.refusal or str(problem)
        return problem


def _sends_to(call: Call) -> Address | None:
    """The queue that a call sends to; None when it does anything else."""
    if call.verb is not send:
        return None
    address: Address = call.args[0]
    return address

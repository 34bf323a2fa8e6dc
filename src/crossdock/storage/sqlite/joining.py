"""Sends inside a caller's transaction: its commit makes them true, together with what else the caller changed.

They run on the caller's connection and in its thread, with a session of their own: the store's session stays as it is,
and reads the counters again when it finds that somebody else committed.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from crossdock.core.errors import InvalidArgument, StoreUnavailable
from crossdock.core.model import Address, Message, SendResult, Settings

from . import due
from .disk import check_room
from .queues import create_queue
from .send import send
from .session import Session
from .trouble import unavailable

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
# Unqualified names mean temporary tables first.
_HIDDEN = """SELECT name FROM temp.sqlite_schema
WHERE name COLLATE NOCASE IN (SELECT name FROM main.sqlite_schema) LIMIT 1"""


def check(connection: object, path: Path) -> apsw.Connection:
    """Make sure that what is sent through the connection is in the file of the store, and durable when committed.

    Raises InvalidArgument. A transaction that only reads so far is refused: another commit may bar it from writing.
    """
    if not isinstance(connection, apsw.Connection):
        raise InvalidArgument(
            "connection",
            connection,
            "must be an apsw.Connection (sqlite3 has a copy of SQLite of its own, and two in one process undo each "
            "other's file locks)",
        )
    try:
        where, state = connection.filename, connection.txn_state("main")
    except apsw.Error as error:
        raise InvalidArgument("connection", connection, f"must be open, and used by one thread ({error})") from error
    if os.path.realpath(where) != os.path.realpath(path):
        raise InvalidArgument("connection", where, f"must have the store's file {path} as its main database")
    if state != apsw.SQLITE_TXN_WRITE:
        raise InvalidArgument("connection", connection, "must be in a write transaction: begin it with BEGIN IMMEDIATE")
    synchronous = _SYNCHRONOUS[int(connection.pragma("synchronous"))]
    if synchronous not in ("FULL", "EXTRA"):
        raise InvalidArgument("connection", synchronous, "must have synchronous=FULL or EXTRA to make sends durable")
    with _plain_rows(connection):
        hidden = connection.execute(_HIDDEN).fetchall()
    if hidden:
        raise InvalidArgument("connection", hidden[0][0], "must not have a temporary table that hides one of the file")
    return connection


def send_within(s: Session, address: Address, messages: Sequence[Message], settings: Settings | None) -> SendResult:
    """See JoinsTransactions."""
    connection = s.connection
    check_room(connection)
    last_rowid = connection.last_insert_rowid()
    connection.execute("SAVEPOINT crossdock")
    try:
        with _plain_rows(connection):
            result = _send(s, address, messages, settings)
        connection.execute("RELEASE crossdock")
    except BaseException as error:
        going_on = connection.in_transaction
        if going_on:
            connection.execute("ROLLBACK TO crossdock")
            connection.execute("RELEASE crossdock")
        if not isinstance(error, apsw.Error):
            raise
        problem = str(unavailable(error, connection.filename))
        if not going_on:
            problem += ". SQLite has rolled back the whole transaction"
        raise StoreUnavailable(problem) from error
    finally:
        connection.set_last_insert_rowid(last_rowid)  # the caller may ask for that of its own row
    return result


def _send(s: Session, address: Address, messages: Sequence[Message], settings: Settings | None) -> SendResult:
    s.load()
    while s.now >= s.due and due.work(s):
        continue  # no commit between the steps here: the transaction is the caller's
    if settings is not None:
        create_queue(s, address, settings)
    result = send(s, address, messages)
    s.save()
    return result


@contextmanager
def _plain_rows(connection: apsw.Connection) -> Iterator[None]:
    """Have rows come as tuples, whatever the caller has them made into."""
    row_trace, connection.row_trace = connection.row_trace, None
    try:
        yield
    finally:
        connection.row_trace = row_trace

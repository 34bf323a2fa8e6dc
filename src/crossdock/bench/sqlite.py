"""The SQLite store through the asyncio API, against the statements that a hand-written queue would run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from . import programs
from .contest import Contest, Measure, Sample, Side
from .programs import BODY, FILL, SENDERS, sqlite_url

# The columns of a message and of its standing, in one table with one index.
_SCHEMA = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY, body BLOB NOT NULL, headers TEXT, priority INTEGER NOT NULL, enqueued_at INTEGER NOT NULL,
    deliver_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, ordering_key TEXT, dedup_id TEXT,
    attempts INTEGER NOT NULL, epoch INTEGER NOT NULL, lease_until INTEGER NOT NULL, consumer TEXT
) STRICT;
CREATE INDEX ready ON jobs (lease_until, priority, deliver_at, id);
"""
_INSERT = """INSERT INTO jobs (body, headers, priority, enqueued_at, deliver_at, expires_at, ordering_key, dedup_id,
attempts, epoch, lease_until, consumer) VALUES (?, NULL, 0, ?, ?, 0, NULL, NULL, 0, 0, 0, NULL)"""
_LEASE = """UPDATE jobs SET attempts = attempts + 1, epoch = epoch + 1, lease_until = ?1, consumer = 'bench'
WHERE id IN (SELECT id FROM jobs WHERE lease_until = 0 ORDER BY priority, deliver_at, id LIMIT 10)
RETURNING id, body, headers, priority, enqueued_at, deliver_at, expires_at, ordering_key, dedup_id, attempts, epoch"""
_DELETE = "DELETE FROM jobs WHERE id = ? AND epoch = ?"


# The bare statements


def _insert(db: apsw.Connection, count: int, rows: int) -> float:
    now = 1_700_000_000_000
    values = [(BODY, now, now)] * rows
    began = time.perf_counter()
    for _ in range(count // rows):
        db.execute("BEGIN IMMEDIATE")
        db.executemany(_INSERT, values)
        db.execute("COMMIT")
    return time.perf_counter() - began


def _lease_and_delete(db: apsw.Connection, count: int) -> float:
    _insert(db, count, min(FILL, count))
    began = time.perf_counter()
    for _ in range(count // 10):
        db.execute("BEGIN IMMEDIATE")
        leased = db.execute(_LEASE, (1,)).fetchall()
        db.execute("COMMIT")
        db.execute("BEGIN IMMEDIATE")
        db.executemany(_DELETE, [(row[0], row[10]) for row in leased])
        db.execute("COMMIT")
    return time.perf_counter() - began


def _raw(run: Callable[[apsw.Connection, int], float]) -> Side:
    @contextmanager
    def side(folder: Path) -> Iterator[Measure]:
        db = apsw.Connection(str(folder / "bare.db"))
        try:
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full")
            db.execute(_SCHEMA)

            def measure(count: int) -> Sample:
                db.execute("DELETE FROM jobs")
                return Sample(count, run(db, count))

            yield measure
        finally:
            db.close()

    return side


CONTESTS = (
    Contest(
        name="sqlite-send-64",
        level="local",
        ours=programs.side(sqlite_url, programs.send),
        raw=_raw(lambda db, count: _insert(db, count, SENDERS)),
        against="executemany of 64 rows per FULL transaction; 64 senders",
        messages=16_000,
        target=0.5,
        limit="The interpreter: loop, writer thread and disk take turns, as all 64 wait for one commit.",
    ),
    Contest(
        name="sqlite-send-many",
        level="local",
        ours=programs.side(sqlite_url, programs.send_many),
        raw=_raw(lambda db, count: _insert(db, count, 100)),
        against="executemany of 100 rows per FULL transaction; send_many of 100",
        messages=16_000,
        target=0.6,
        limit="SQLite's insert and the sync; beside them two changes of thread a batch, and the counters' rows.",
    ),
    Contest(
        name="sqlite-receive-10",
        level="local",
        ours=programs.side(sqlite_url, programs.receive),
        raw=_raw(_lease_and_delete),
        against="UPDATE RETURNING and DELETE of 10 rows, a FULL transaction each; receive(10) and one ack of all",
        messages=3_200,
        target=0.4,
        limit="Two syncs; beside the rows, the counters of queue, group and store, and thread changes.",
    ),
)

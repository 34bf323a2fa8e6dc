"""The SQLite store through the asyncio API, against the statements that a hand-written queue would run."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from crossdock.client.aio import Queue, connect

from .contest import Contest, Measure, Sample, Side

BODY = b"x" * 100
SENDERS = 64
FILL = 1_000
"""Messages of a send that only prepares."""

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


# Ours


async def _send(queue: Queue, count: int) -> float:
    async def sender() -> None:
        for _ in range(count // SENDERS):
            await queue.send(BODY)

    began = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return time.perf_counter() - began


async def _send_many(queue: Queue, count: int) -> float:
    batch = [BODY] * 100
    began = time.perf_counter()
    for _ in range(count // 100):
        await queue.send_many(batch)
    return time.perf_counter() - began


async def _receive(queue: Queue, count: int) -> float:
    await fill(queue, count)
    began = time.perf_counter()
    for _ in range(count // 10):
        await queue.ack(await queue.receive(10))
    return time.perf_counter() - began


async def fill(queue: Queue, count: int) -> None:
    """Put messages into a queue, in large batches."""
    await queue.receive()  # so that the group is there, as it is in use
    for start in range(0, count, FILL):
        await queue.send_many([BODY] * min(FILL, count - start))


@contextmanager
def opened(url: str) -> Iterator[tuple[asyncio.Runner, Queue]]:
    """A queue of a store, and the loop in which it can be used."""
    with asyncio.Runner() as runner:

        async def start() -> Queue:
            return (await connection).queue("bench")

        connection = connect(url)
        try:
            yield runner, runner.run(start())
        finally:
            runner.run(connection.close())


def _ours(run: Callable[[Queue, int], Awaitable[float]]) -> Side:
    @contextmanager
    def side(folder: Path) -> Iterator[Measure]:
        with opened(f"sqlite:///{folder / 'crossdock.db'}") as (runner, queue):

            async def purged(count: int) -> float:
                await queue.create()
                await queue.purge()
                return await run(queue, count)

            yield lambda count: Sample(count, runner.run(purged(count)))

    return side


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
        ours=_ours(_send),
        raw=_raw(lambda db, count: _insert(db, count, SENDERS)),
        against="executemany of 64 rows per FULL transaction; 64 senders",
        messages=16_000,
        target=0.5,
        limit="The interpreter: loop, writer thread and disk take turns, as all 64 wait for one commit.",
    ),
    Contest(
        name="sqlite-send-many",
        level="local",
        ours=_ours(_send_many),
        raw=_raw(lambda db, count: _insert(db, count, 100)),
        against="executemany of 100 rows per FULL transaction; send_many of 100",
        messages=16_000,
        target=0.6,
        limit="SQLite's insert and the sync; beside them two changes of thread a batch, and the counters' rows.",
    ),
    Contest(
        name="sqlite-receive-10",
        level="local",
        ours=_ours(_receive),
        raw=_raw(_lease_and_delete),
        against="UPDATE RETURNING and DELETE of 10 rows, a FULL transaction each; receive(10) and one ack of all",
        messages=3_200,
        target=0.4,
        limit="Two syncs; beside the rows, the counters of queue, group and store, and thread changes.",
    ),
)

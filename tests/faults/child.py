"""A process that uses the queues of a store until it is killed: `python -m faults.child LIFE`, LIFE being JSON.

Its history goes to standard output line by line, so that what it told is outside when it dies.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import Random

import msgspec

from crossdock import aio
from crossdock.storage.log import compaction
from crossdock.storage.log.committer import Committer
from crossdock.storage.log.compaction import Compactor
from crossdock.storage.sqlite import transaction
from crossdock.storage.sqlite.transaction import Transactions
from crossdock.storage.wal.wal import Run
from faults.workload import Workload, connect


class Life(msgspec.Struct):
    """How a child lives and dies."""

    path: str
    name: str
    repeat: list[str] = []
    """Batches to send again."""
    failpoint: str = ""
    """Where to die by its own hand: at the `hit`-th time that this step is reached."""
    hit: int = 0
    faulty: bool = False
    """Whether callers are answered before the commit (F13)."""


def connection(life: Life) -> aio.Connection:
    if not life.failpoint:
        return connect(Path(life.path))
    left = life.hit

    def reached(step: str) -> None:
        nonlocal left
        left -= step == life.failpoint
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    return connect(Path(life.path), reached)


def answer_before_the_commit() -> None:
    """Plant the fault: a commit happens later, together with those of the next calls."""
    begin, commit = Transactions._begin, Transactions._commit
    calls = 0

    def begin_late(work: Transactions) -> None:
        if not work._connection.in_transaction:
            begin(work)

    def commit_late(work: Transactions) -> None:
        nonlocal calls
        calls += 1
        if calls % 50:
            work._news += work._s.save()
        else:
            commit(work)

    Transactions._begin, Transactions._commit = begin_late, commit_late  # type: ignore[method-assign]


def answer_before_the_write() -> None:
    """Plant the fault in the log store: what is answered is written later, together with what comes next."""
    write = Committer._write
    held: list[Run] = []
    calls = 0

    def write_late(committer: Committer, runs: list[Run], appended: int) -> None:
        nonlocal calls
        calls += 1
        held.extend(runs)
        if calls % 50 == 0:
            write(committer, list(held), appended)
            held.clear()

    Committer._write = write_late  # type: ignore[method-assign]


def compact_here() -> None:
    """Most lives are too short for a process to start in: compact in the thread, and be killed at every stage."""
    Compactor._compact = lambda compactor, segment: compaction.compact(  # type: ignore[method-assign]
        compactor._disk, segment
    )


async def live(life: Life) -> None:
    async with connection(life) as mq:
        await Workload(mq, lambda line: os.write(1, line), life.name).run(life.repeat)


if __name__ == "__main__":
    transaction.CHECKPOINT_PAGES = 20  # a small WAL has the kills fall into checkpoints too
    life = msgspec.json.decode(sys.argv[1], type=Life)
    compaction.COMPACT_AFTER_BYTES = 32 * 1024
    if Random(life.name).random() < 0.7:
        compact_here()
    if life.faulty:
        answer_before_the_commit()
        answer_before_the_write()
    asyncio.run(live(life))

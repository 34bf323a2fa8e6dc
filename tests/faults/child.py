"""A process that uses the queues of a file until it is killed: `python -m faults.child LIFE`, LIFE being JSON.

Its history goes to standard output line by line, so that what it told is outside when it dies.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from crossdock import aio
from crossdock.storage.sqlite import transaction
from crossdock.storage.sqlite.transaction import Transactions
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
        return aio.connect(f"sqlite:///{life.path}")
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


async def live(life: Life) -> None:
    async with connection(life) as mq:
        await Workload(mq, lambda line: os.write(1, line), life.name).run(life.repeat)


if __name__ == "__main__":
    transaction.CHECKPOINT_PAGES = 20  # a small WAL has the kills fall into checkpoints too
    life = msgspec.json.decode(sys.argv[1], type=Life)
    if life.faulty:
        answer_before_the_commit()
    asyncio.run(live(life))

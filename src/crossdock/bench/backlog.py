"""What a backlog costs: the time of a receive, and memory."""

import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import crossdock.client.blocking as crossdock
from crossdock.client.aio import Queue

from .contest import Contest, Gauge, Measure, Sample, Side
from .programs import fill, opened

DEEP, SHALLOW = 1_000_000, 1_000
BATCH = 10
MEGABYTE = 1_000_000


def _url(store: str, folder: Path, name: str) -> str:
    return "memory://" if store == "memory" else f"sqlite:///{folder / name}.db"


def _at_backlog(store: str, backlog: int) -> Side:
    """Receive 10 and ack them, over and over, always at the same backlog."""

    async def cycles(queue: Queue, count: int) -> float:
        taken = 0.0
        for _ in range(count // BATCH):
            began = time.perf_counter()
            await queue.ack(await queue.receive(BATCH))
            taken += time.perf_counter() - began
            await queue.send_many([b"x" * 100] * BATCH)
        return taken

    @contextmanager
    def side(folder: Path) -> Iterator[Measure]:
        with opened(_url(store, folder, f"backlog-{backlog}")) as (runner, queue):
            runner.run(fill(queue, backlog))
            yield lambda count: Sample(count, runner.run(cycles(queue, count)))

    return side


def _memory(store: str, folder: Path, count: int) -> float:
    """Most MB that a new process held while it filled a store."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_fill, args=(theirs, _url(store, folder, "memory"), count), daemon=True)
    process.start()
    theirs.close()
    try:
        taken: float = ours.recv()
    finally:
        ours.close()
        process.join()
    return taken


def _fill(pipe: Connection, url: str, count: int) -> None:
    """The new process: every message has bytes of its own."""
    with crossdock.connect(url) as mq:
        queue = mq.queue("bench")
        for start in range(0, count, 1_000):
            queue.send_many([b"%0100d" % number for number in range(start, min(start + 1_000, count))])
        pipe.send(_peak_mb())


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held at the fork
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / MEGABYTE
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def contests(scale: int) -> tuple[Contest, ...]:
    """The contests, with a backlog `scale` times smaller than is promised."""
    return tuple(
        Contest(
            name=f"backlog-{store}",
            level=level,
            ours=_at_backlog(store, DEEP // scale),
            raw=_at_backlog(store, SHALLOW),
            against=f"a backlog of {SHALLOW}, not {DEEP // scale}; receive(10) and one ack of all",
            messages=messages,
            target=1.5,
            costs=True,
            limit="Nothing grows with it: a receive looks up what comes first; caches, and syncs on disk.",
        )
        for store, level, messages in (("memory", "memory", 50_000), ("sqlite", "local", 3_200))
    )


GAUGES = (
    Gauge(
        name="rss-memory",
        level="memory",
        measure=lambda folder, count: _memory("memory", folder, count),
        messages=DEEP,
        unit="MB",
        target=500,
        limit="Message objects: about 350 bytes each, with the body of 100.",
    ),
    Gauge(
        name="rss-sqlite",
        level="local",
        measure=lambda folder, count: _memory("sqlite", folder, count),
        messages=DEEP,
        unit="MB",
        target=100,
        limit="SQLite's page cache; the backlog is on disk.",
    ),
)

"""Single messages over HTTP, against a handler that does nothing on the same HTTP stack."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from .contest import Contest, Measure, Sample, Side
from .http_load import Target, http_load
from .load import Load
from .pace import SECOND, SystemClock
from .report import BenchFailed
from .served import Served, serve, serve_nothing

CONNECTIONS = 64


def _side(server: Callable[[], AbstractContextManager[Served]]) -> Side:
    @contextmanager
    def side(folder: Path) -> Iterator[Measure]:
        with server() as served:
            yield lambda count: _enqueue(served, count)

    return side


def _enqueue(served: Served, count: int) -> Sample:
    load = Load(senders=CONNECTIONS, receivers=0, messages=count, seconds=600, warmup=0)
    before = served.cpu_s()
    tally, begin = http_load(Target(served.url, "bench"), load, SystemClock())
    cpu = served.cpu_since(before)
    if tally.timed_sent != count:
        raise BenchFailed(f"{tally.timed_sent} of {count} messages were sent")
    return Sample(count, (tally.last_sent - begin) / SECOND, cpu)


CONTESTS = (
    Contest(
        name="http-enqueue-64",
        level="memory",
        ours=_side(lambda: serve("memory://")),
        raw=_side(serve_nothing),
        against="a handler that reads the body, on the same HTTP stack; 64 connections",
        messages=40_000,
        target=0.6,
        limit="The HTTP stack: parsing, routing and the socket's system calls cost more than the queue does.",
    ),
)

"""One load, one result."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from msgspec import Struct

from crossdock.core.errors import InvalidArgument

from .embedded_load import embedded_load, level_of
from .http_load import Target, http_load
from .load import Load
from .pace import SECOND, SystemClock
from .report import Row, histogram, latencies
from .served import Served, serve
from .tally import Tally, check

Door = Literal["embedded", "http"]
Progress = Callable[[str, int, int], None]
"""Told what is measured, as which one, of how many."""


class Place(Struct, frozen=True):
    """What is measured: a store, through a door. With `url` the server that runs there, whose store is its own."""

    door: Door
    store: str
    url: str = ""
    api_key: str = ""


def run_load(place: Place, load: Load, repeat: int, progress: Progress) -> list[Row]:
    """Run a load `repeat` times. Raises InvalidArgument, BenchFailed, and what the queue raises."""
    load.check()
    histogram()
    if place.url and place.door != "http":
        raise InvalidArgument("--url", place.url, "needs --door http")
    rows = []
    for number in range(repeat):
        progress(f"{place.door} {place.store}", number, repeat)
        rows.append(_embedded(place, load) if place.door == "embedded" else _http(place, load))
    return rows


def _embedded(place: Place, load: Load) -> Row:
    cpu = time.process_time()
    tally, begin = asyncio.run(embedded_load(place.store, _queue_name(), load, SystemClock()))
    cpu = time.process_time() - cpu
    return _row(place, load, level_of(place.store), tally, begin, cpu)


def _http(place: Place, load: Load) -> Row:
    with _server(place) as served:
        before = served.cpu_s()
        tally, begin = http_load(Target(served.url, _queue_name(), place.api_key), load, SystemClock())
        cpu = served.cpu_since(before)
    return _row(place, load, served.level, tally, begin, cpu)


@contextmanager
def _server(place: Place) -> Iterator[Served]:
    if place.url:
        yield Served(place.url, "unknown", 0)
    else:
        with serve(place.store) as served:
            yield served


def _row(place: Place, load: Load, level: str, tally: Tally, begin: int, cpu: float | None) -> Row:
    measured = begin + round(load.warmup * SECOND)
    sent = sum(tally.sent.values())
    findings = check(tally.sent, tally.seen) if load.receivers else None
    row: Row = {
        "door": place.door,
        "store": place.url or place.store,
        "level": level,
        "mode": f"{load.rate:g}/s" if load.rate else "flat out",
        "senders": load.senders,
        "receivers": load.receivers,
        "size": load.size,
        "batch": load.batch,
        "sent": sent,
        "sent_per_s": _rate(tally.timed_sent, tally.last_sent - measured),
        "received_per_s": _rate(tally.timed_received, tally.last_received - measured),
        "lost": findings and findings.lost,
        "duplicate": findings and findings.duplicate,
        "out_of_order": findings and findings.out_of_order,
        "cpu_us_per_message": cpu and sent and round(cpu / sent * 1_000_000, 2),
    }
    return row | latencies("send", tally.send_times) | latencies("trip", tally.trip_times)


def _rate(count: int, elapsed: int) -> float | None:
    return round(count * SECOND / elapsed, 1) if count and elapsed > 0 else None


def _queue_name() -> str:
    return f"bench-{os.getpid()}-{time.time_ns()}"

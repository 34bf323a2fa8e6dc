"""What a benchmark tells: the machine, and a row for each measurement."""

import os
import platform
import sys
from collections.abc import Iterable
from typing import Any

from crossdock.core.errors import CrossdockError

PERCENTILES = (50, 90, 99, 99.9)
LATENCY_MAX = 3_600_000_000
"""µs; what took longer counts as this."""
_DIGITS = 3

Row = dict[str, object]


class BenchFailed(CrossdockError):
    """A measurement could not be made. The text says why."""

    code = "bench_failed"


def machine() -> Row:
    """What the numbers depend on besides the code."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "cores": cores(),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def histogram() -> Any:
    """An empty HdrHistogram of µs. Raises BenchFailed without the extra `bench`."""
    try:
        from hdrh.histogram import HdrHistogram  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise BenchFailed("latencies need the package hdrhistogram: pip install 'crossdock[bench]'") from error
    return HdrHistogram(1, LATENCY_MAX, _DIGITS)


def latencies(name: str, times: Iterable[int]) -> Row:
    """Percentiles of `times` (ns) in ms; None where there are none."""
    found = histogram()
    for each in times:
        found.record_value(min(max(each // 1000, 1), LATENCY_MAX))
    some = found.get_total_count() > 0
    row: Row = {
        f"{name}_p{percentile}_ms": found.get_value_at_percentile(percentile) / 1000 if some else None
        for percentile in PERCENTILES
    }
    return row | {f"{name}_max_ms": found.get_max_value() / 1000 if some else None}

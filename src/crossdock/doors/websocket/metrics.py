"""Metrics of the door for Prometheus, made from plain counts when asked for."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..shared.metrics import histogram
from .counters import PathCounters


def collect(paths: Sequence[PathCounters], refused: Mapping[int, int]) -> Iterator[Metric]:
    """The metrics; `refused` counts handshakes by the HTTP status that they were answered with."""
    now = GaugeMetricFamily("crossdock_ws_connections", "Open connections", labels=["path"])
    opened = CounterMetricFamily("crossdock_ws_opened", "Connections opened", labels=["path"])
    errors = CounterMetricFamily("crossdock_ws_errors", "Frames answered by an error", labels=["path", "code"])
    pushed = CounterMetricFamily("crossdock_ws_pushed", "Messages pushed", labels=["path"])
    slow = CounterMetricFamily("crossdock_ws_slow_readers", "Connections ended for not reading", labels=["path"])
    for path in paths:
        now.add_metric([path.path], path.open_now)
        opened.add_metric([path.path], path.opened)
        pushed.add_metric([path.path], path.pushed)
        slow.add_metric([path.path], path.slow)
        for code, count in list(path.errors.items()):
            errors.add_metric([path.path, code], count)
    handshakes = CounterMetricFamily("crossdock_ws_refused", "Handshakes refused", labels=["status"])
    for status, count in list(refused.items()):
        handshakes.add_metric([str(status)], count)
    latencies = ((path.path, path.latency) for path in paths)
    yield from (now, opened, errors, pushed, slow, handshakes)
    yield histogram("crossdock_ws_answer_seconds", "Time from a frame to its answer", "path", latencies)

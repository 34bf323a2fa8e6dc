"""Metrics of the door for Prometheus, made from plain counts when asked for."""

from collections.abc import Iterator, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..shared.metrics import histogram
from .counters import MethodCounters


def collect(methods: Sequence[MethodCounters], running: int) -> Iterator[Metric]:
    """The metrics."""
    calls = CounterMetricFamily("crossdock_grpc_calls", "Calls ended", labels=["method", "status"])
    for method in methods:
        for status, count in list(method.calls.items()):
            calls.add_metric([method.method, status.name], count)
    yield calls
    yield GaugeMetricFamily("crossdock_grpc_running_calls", "Calls under way, streams among them", value=running)
    latencies = ((method.method, method.latency) for method in methods if not method.streaming)
    yield histogram("crossdock_grpc_call_seconds", "Time to the response of a unary call", "method", latencies)

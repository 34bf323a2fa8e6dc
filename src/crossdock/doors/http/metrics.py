"""Metrics in the Prometheus text format, made from plain counts when asked for."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from crossdock.core.model import QueueStats

from ..shared.metrics import histogram
from .counters import RouteCounters
from .service import MetricSource

BY_CONTRACT = {"mq_enqueue": "sent", "mq_dequeue": "delivered", "mq_ack": "acked", "mq_nack": "nacked"}
"""Counters that other programs rely on, and the total each shows."""
TOTALS = {
    "returned": "Leases that ended without an answer",
    "dead": "Messages moved to a dead-letter queue",
    "expired": "Messages dropped because their time to live ended",
    "dropped": "Messages dropped to make room, or after their last attempt with dead-lettering off",
    "purged": "Messages deleted by request",
    "redriven": "Messages moved back from this dead-letter queue",
    "duplicates": "Messages not stored because their deduplication id was known",
}


class Snapshot(Struct):
    """What to render."""

    queues: Sequence[QueueStats]
    routes: Sequence[RouteCounters]
    waiting: int
    wakeups: int
    more: Sequence[MetricSource] = ()


def render(snapshot: Snapshot) -> bytes:
    """The metrics as text. For a thread of its own: it takes milliseconds."""
    registry = CollectorRegistry()
    registry.register(_Metrics(snapshot))
    return generate_latest(registry)


class _Metrics(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        yield from _queue_counters(self._snapshot.queues)
        yield from _queue_gauges(self._snapshot.queues)
        yield from _routes(self._snapshot.routes)
        yield GaugeMetricFamily("crossdock_waiting_receives", "Long polls that wait", value=self._snapshot.waiting)
        yield CounterMetricFamily("crossdock_wakeups", "Long polls woken for a message", value=self._snapshot.wakeups)
        for source in self._snapshot.more:
            yield from source()


def _queue_counters(queues: Sequence[QueueStats]) -> Iterator[Metric]:
    for name, total in BY_CONTRACT.items():
        yield _counter(name, f"Messages {total}", total, queues)
    for total, text in TOTALS.items():
        yield _counter(f"crossdock_{total}", text, total, queues)


def _counter(name: str, text: str, total: str, queues: Sequence[QueueStats]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["queue"])
    for stats in queues:
        family.add_metric([stats.name], getattr(stats.totals, total))
    return family


def _queue_gauges(queues: Sequence[QueueStats]) -> Iterator[Metric]:
    stored = GaugeMetricFamily("mq_total_messages", "Messages stored", labels=["queue"])
    leased = GaugeMetricFamily("mq_in_flight_messages", "Messages leased", labels=["queue"])
    dead = GaugeMetricFamily("mq_dlq_messages", "Messages in the dead-letter queue", labels=["queue"])
    body = GaugeMetricFamily("crossdock_body_bytes", "Bytes of the stored messages' bodies", labels=["queue"])
    ready = GaugeMetricFamily("crossdock_ready_messages", "Messages ready, over the groups", labels=["queue"])
    delayed = GaugeMetricFamily("crossdock_delayed_messages", "Messages delayed, over the groups", labels=["queue"])
    oldest = GaugeMetricFamily(
        "crossdock_oldest_message_timestamp_seconds", "When the oldest stored message was accepted", labels=["queue"]
    )
    for stats in queues:
        stored.add_metric([stats.name], stats.stored)
        leased.add_metric([stats.name], stats.leased)
        dead.add_metric([stats.name], stats.dead)
        ready.add_metric([stats.name], stats.ready)
        delayed.add_metric([stats.name], stats.delayed)
        body.add_metric([stats.name], stats.bytes)
        oldest.add_metric([stats.name], stats.oldest / 1000)
    yield from (stored, leased, dead, ready, delayed, body, oldest)


def _routes(routes: Sequence[RouteCounters]) -> Iterator[Metric]:
    requests = CounterMetricFamily("crossdock_http_requests", "Requests answered", labels=["route", "method", "status"])
    for route in routes:
        for (method, status), count in list(route.requests.items()):
            requests.add_metric([route.route, method, str(status)], count)
    yield requests
    latencies = ((route.route, route.latency) for route in routes)
    yield histogram("crossdock_http_request_seconds", "Time to the response", "route", latencies)

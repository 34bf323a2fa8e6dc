"""Health and metrics: what surrounds the queues."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from crossdock.wire.json_api_queues import Health

from .answer import Answer, encode
from .counters import RouteCounters
from .door import Door
from .operation import Operation, public
from .request import Call

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

TAG = "service"
TEXT = (b"content-type", b"text/plain; charset=utf-8")
METRICS_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
QUEUE_LABELS_MAX = 1000
"""Queues that have metrics of their own: the first ones by name."""

MetricSource = Callable[[], "Iterable[Metric]"]
"""Metrics of another part of the server, as they are now. Called in a thread."""

OK = Answer(200, encode(Health("ok")))
CLOSING = Answer(503, encode(Health("closing")))
OK_TEXT = Answer(200, b"ok", content_type=TEXT)


class Service:
    """The routes for whoever runs the server."""

    def __init__(self, door: Door, counters: list[RouteCounters], more: Sequence[MetricSource]) -> None:
        self._door = door
        self._more = more
        self._counters = counters

    def operations(self) -> list[Operation]:
        return [
            public("/health", self.health, TAG, {200: Health, 503: Health}),
            public("/healthz", self.healthz, TAG, {200: "text/plain"}),
            public("/metrics", self.metrics, TAG, {200: "text/plain"}),
        ]

    async def health(self, call: Call[None]) -> Answer:
        """Tell whether the server takes requests."""
        return CLOSING if self._door.broker.room.closed else OK

    async def healthz(self, call: Call[None]) -> Answer:
        """Tell that the server is up."""
        return OK_TEXT

    async def metrics(self, call: Call[None]) -> Answer:
        """Metrics in the Prometheus text format."""
        from .metrics import Snapshot, render  # noqa: PLC0415 - a start need not wait for the client library

        stats = [each async for each in self._door.all_stats(QUEUE_LABELS_MAX)]
        room = self._door.broker.room
        snapshot = Snapshot(stats, self._counters, room.members, room.wakeups, self._more)
        return Answer(200, await asyncio.to_thread(render, snapshot), content_type=METRICS_TEXT)

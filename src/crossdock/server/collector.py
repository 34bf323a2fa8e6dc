"""What a collector saw, as metrics for Prometheus."""

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from crossdock.broker.collector import BUCKETS_MS, MemoryCollector

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class PrometheusCollector(MemoryCollector):
    """A Collector whose figures /metrics shows. The depths of queues are shown there anyway, as `mq_total_messages`."""

    def metrics(self) -> "Iterator[Metric]":
        """The figures. Called in a thread."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415 - a start need not wait for the client library
            CounterMetricFamily,
            HistogramMetricFamily,
        )

        labels = ["queue", "verb"]
        messages = CounterMetricFamily("crossdock_verb_messages", "Messages that a verb succeeded for", labels=labels)
        errors = CounterMetricFamily("crossdock_verb_errors", "Failures of a verb", labels=[*labels, "code"])
        seconds = HistogramMetricFamily("crossdock_verb_seconds", "Time of a call", labels=labels)
        bounds = [*(str(bound / 1000) for bound in BUCKETS_MS), "+Inf"]
        for (_, queue), verbs in list(self.figures().items()):
            for verb, figures in list(verbs.items()):
                messages.add_metric([queue, verb], figures.messages)
                for code, count in list(figures.errors.items()):
                    errors.add_metric([queue, verb, code], count)
                buckets = list(zip(bounds, accumulate(figures.buckets), strict=True))
                seconds.add_metric([queue, verb], buckets, figures.ms / 1000)
        yield from (messages, errors, seconds)

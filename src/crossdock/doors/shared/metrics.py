"""What the metrics of doors have in common. It imports the Prometheus client: import it where metrics are rendered."""

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.metrics_core import HistogramMetricFamily

from .latency import BUCKETS, Latency

_BOUNDS = [*map(str, BUCKETS), "+Inf"]


def histogram(name: str, text: str, label: str, found: Iterable[tuple[str, Latency]]) -> HistogramMetricFamily:
    """Latencies by the value of a label."""
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, latency in found:
        family.add_metric([value], list(zip(_BOUNDS, accumulate(latency.buckets), strict=True)), latency.seconds)
    return family

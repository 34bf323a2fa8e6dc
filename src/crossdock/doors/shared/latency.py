"""A latency histogram, kept as plain numbers; metrics read them."""

from bisect import bisect_left

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""Upper bounds, seconds."""


class Latency:
    """How long something took, how often."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Count one, or several that took as long."""
        self.buckets[bisect_left(BUCKETS, seconds)] += count
        self.seconds += seconds * count

"""Counts of requests, kept as plain numbers; `metrics` reads them."""

from bisect import bisect_left

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""Upper bounds of the latency histogram, seconds."""


class RouteCounters:
    """What one route did."""

    __slots__ = ("buckets", "requests", "route", "seconds")

    def __init__(self, route: str) -> None:
        self.route = route
        self.requests: dict[tuple[str, int], int] = {}
        """By method and status."""
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

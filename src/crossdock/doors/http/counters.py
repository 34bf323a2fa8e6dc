"""Counts of requests, kept as plain numbers; `metrics` reads them."""

from ..shared.latency import Latency


class RouteCounters:
    """What one route did."""

    __slots__ = ("latency", "requests", "route")

    def __init__(self, route: str) -> None:
        self.route = route
        self.requests: dict[tuple[str, int], int] = {}
        """By method and status."""
        self.latency = Latency()

    def count(self, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        self.latency.add(seconds)

"""Counts of calls, kept as plain numbers; `metrics` reads them."""

import asyncio

from grpc import StatusCode

from ..shared.latency import Latency


class MethodCounters:
    """What one method did."""

    __slots__ = ("calls", "latency", "method", "streaming")

    def __init__(self, method: str, streaming: bool) -> None:
        self.method = method
        self.streaming = streaming
        self.calls: dict[StatusCode, int] = {}
        self.latency = Latency()
        """Of unary calls: how long a stream was open says nothing."""

    def count(self, status: StatusCode, seconds: float) -> None:
        """Count a call that ended."""
        self.calls[status] = self.calls.get(status, 0) + 1
        if not self.streaming:
            self.latency.add(seconds)


class Running:
    """How many calls of our own services are under way."""

    def __init__(self) -> None:
        self.count = 0
        self.none = asyncio.Event()
        self.none.set()

    def begin(self) -> None:
        self.count += 1
        self.none.clear()

    def end(self) -> None:
        self.count -= 1
        if not self.count:
            self.none.set()

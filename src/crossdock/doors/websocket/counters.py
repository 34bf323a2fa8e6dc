"""Counts of the door, kept as plain numbers; `metrics` reads them."""

from ..shared.latency import Latency


class PathCounters:
    """What the connections of one path did."""

    __slots__ = ("errors", "latency", "open_now", "opened", "path", "pushed", "slow")

    def __init__(self, path: str) -> None:
        self.path = path
        self.opened = 0
        self.open_now = 0
        self.latency = Latency()
        """From a frame to its answer."""
        self.errors: dict[str, int] = {}
        """Frames answered by an error, by its code."""
        self.pushed = 0
        """Messages sent without being asked for."""
        self.slow = 0
        """Connections ended because their client did not read."""

    def failed(self, code: str) -> None:
        """Count an error."""
        self.errors[code] = self.errors.get(code, 0) + 1

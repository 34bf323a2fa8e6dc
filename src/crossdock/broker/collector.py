"""What the verbs did, by queue: counts, errors, latencies; and how deep the queues are."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Protocol

from crossdock.core.clock import Clock
from crossdock.core.errors import CrossdockError, QueueNotFound
from crossdock.core.model import Address
from crossdock.storage.base import Store

from .observer import Observer

BUCKETS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000)
"""Upper bounds of the latency histograms."""
QUEUES_MAX = 1_000
OTHERS: Address = ("", "")
"""Stands for the queues beyond the first QUEUES_MAX."""


class VerbFigures:
    """What one verb did in one queue."""

    __slots__ = ("buckets", "calls", "errors", "messages", "ms")

    def __init__(self) -> None:
        self.calls = 0
        self.messages = 0
        self.errors: dict[str, int] = {}
        """By code; of a batch each receipt that failed counts."""
        self.buckets = [0] * (len(BUCKETS_MS) + 1)
        self.ms = 0
        """Time of all calls together; a receive that waits counts its wait."""


Figures = Mapping[Address, Mapping[str, VerbFigures]]
"""By queue and verb."""


class Collector(Observer, Protocol):
    """An observer that can be asked what it saw."""

    def figures(self) -> Figures:
        """Everything since the start, as it is now."""
        ...

    async def depths(self) -> Mapping[Address, int]:
        """How many messages each queue stores."""
        ...


class MemoryCollector:
    """A Collector that keeps its figures as plain numbers. `then` is told of everything, too."""

    def __init__(self, store: Store, clock: Clock, then: Observer | None = None) -> None:
        self._store = store
        self._clock = clock
        self._then = then
        self._figures: dict[Address, dict[str, VerbFigures]] = {}

    def figures(self) -> Figures:
        return self._figures

    async def depths(self) -> Mapping[Address, int]:
        found = {}
        for address in await self._store.queues(None):
            try:
                found[address] = (await self._store.stats(address, self._clock.now())).stored
            except QueueNotFound:
                continue  # Deleted since it was listed.
        return found

    def done(self, verb: str, address: Address, count: int, started: int) -> None:
        figures = self._of(verb, address)
        took = self._clock.now() - started
        figures.calls += 1
        figures.messages += count
        figures.buckets[bisect_left(BUCKETS_MS, took)] += 1
        figures.ms += took
        if self._then is not None:
            self._then.done(verb, address, count, started)

    def failed(self, verb: str, address: Address, error: CrossdockError) -> None:
        errors = self._of(verb, address).errors
        errors[error.code] = errors.get(error.code, 0) + 1
        if self._then is not None:
            self._then.failed(verb, address, error)

    def _of(self, verb: str, address: Address) -> VerbFigures:
        verbs = self._figures.get(address)
        if verbs is None:
            if len(self._figures) >= QUEUES_MAX:  # Names that do not exist are asked for, too.
                address = OTHERS
            verbs = self._figures.setdefault(address, {})
        figures = verbs.get(verb)
        if figures is None:
            figures = verbs[verb] = VerbFigures()
        return figures

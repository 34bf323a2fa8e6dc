"""A line in the log for each queue, at steady intervals: the metrics of a broker that nobody scrapes."""

import logging

from msgspec import structs

from crossdock.core.clock import Cancel
from crossdock.core.errors import CrossdockError, QueueNotFound
from crossdock.core.model import Address
from crossdock.storage.base import Store

from .runtime import Runtime

INTERVAL_MS_MAX = 24 * 3600 * 1000

_log = logging.getLogger("crossdock.counts")


class CountsLog:
    """Logs the counts of every queue, to the logger `crossdock.counts`."""

    def __init__(self, store: Store, runtime: Runtime) -> None:
        self._store = store
        self._runtime = runtime
        self._interval = 0
        self._cancel: Cancel | None = None

    def start(self, interval: int) -> None:
        """Log every `interval` ms from now on."""
        self._interval = interval
        self._wait()

    def stop(self) -> None:
        """Log no more."""
        self._interval = 0
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _wait(self) -> None:
        at = self._runtime.clock.now() + self._interval
        self._cancel = self._runtime.clock.alarm(at, lambda: self._runtime.spawn(self._report))

    async def _report(self) -> None:
        try:
            for address in await self._store.queues(None):
                await self._count(address)
        except CrossdockError as error:  # The store may answer again next time.
            _log.warning("the queues could not be counted: %s", error)
        if self._interval:
            self._wait()

    async def _count(self, address: Address) -> None:
        try:
            stats = await self._store.stats(address, self._runtime.clock.now())
        except QueueNotFound:
            return  # Deleted since it was listed.
        counts = {name: getattr(stats, name) for name in ("stored", "bytes", "ready", "delayed", "leased", "dead")}
        where = {"namespace": address[0], "queue": address[1]}
        _log.info("counts", extra=where | counts | {"totals": structs.asdict(stats.totals)})

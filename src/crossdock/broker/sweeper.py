"""One timer for everything that falls due: delays, leases, expiry, deadlines of long polls."""

import logging
import threading
from collections.abc import Callable

from crossdock.core.clock import Cancel
from crossdock.core.errors import CrossdockError, StoreFailed
from crossdock.core.model import Address
from crossdock.storage.base import Store

from .runtime import Runtime
from .waiting import WaitingRoom

SWEEP_MS_MAX = 5_000
"""Longest pause between two sweeps of a server."""
POLL_MS = 1_000
"""Longest time that a wake-up lost between processes may go unnoticed while somebody waits (F30)."""
RETRY_MS = 1_000
"""Pause after a sweep that failed."""

_log = logging.getLogger("crossdock.broker")


class Sweeper:
    """Ticks the store when something is due and wakes who waits for it."""

    def __init__(self, store: Store, runtime: Runtime, room: WaitingRoom) -> None:
        self._store = store
        self._runtime = runtime
        self._room = room
        self._steady = False
        self._stopped = False
        self._lock = threading.Lock()
        self._armed_at = 0
        self._cancel: Cancel | None = None
        self._pending = False
        self.failed: Callable[[StoreFailed], None] = lambda failure: None
        """Called when the store has failed for good; nothing is swept any more."""

    def start(self) -> None:
        """Sweep steadily from now on."""
        self._steady = True
        self.nudge()

    def stop(self) -> None:
        """Sweep no more."""
        with self._lock:
            self._stopped = True
            self._disarm()

    def watch(self, waiting: bool) -> None:
        """Have the store tell of changes while somebody waits."""
        self._store.watch(self.changed if waiting else None)

    def changed(self, address: Address | None, count: int) -> None:
        """The store changed, see `Store.watch`: wake whom it may concern."""
        if address is not None and count:
            self._room.wake(address, count)
            return
        if address is None:
            self._room.wake_heads()
        self.nudge()

    def nudge(self) -> None:
        """Sweep soon."""
        with self._lock:
            if self._stopped or self._pending:
                return
            self._pending = True
        self._runtime.spawn(self._sweep)

    async def _sweep(self) -> None:
        with self._lock:
            self._pending = False
            if self._stopped:
                return
        now = self._runtime.clock.now()
        dues = [self._room.expire(now), await self._tick(now)]
        if self._steady:
            dues.append(now + SWEEP_MS_MAX)
        elif self._room.members and self._store.abilities.shared:
            dues.append(now + POLL_MS)
            self._room.wake_heads()
        first = min(filter(None, dues), default=0)
        if first and (self._steady or self._room.members):
            with self._lock:
                self._arm(max(first, now + 1))

    async def _tick(self, now: int) -> int:
        """Let the store do what is due and wake who waits for it; returns when to come again, 0 for never."""
        try:
            tick = await self._store.tick(now)
        except StoreFailed as failure:
            self.stop()
            self.failed(failure)
            return 0
        except Exception as error:  # Sweeping goes on whatever the store does: the next one may succeed.
            unforeseen = None if isinstance(error, CrossdockError) else error
            _log.warning("a sweep failed, the next is in %d ms: %s", RETRY_MS, error, exc_info=unforeseen)
            return now + RETRY_MS
        self._room.wake_heads(tick.ready)
        return tick.next_due

    def _arm(self, at: int) -> None:
        if self._stopped or (self._cancel is not None and self._armed_at <= at):
            return
        self._disarm()
        self._armed_at = at
        self._cancel = self._runtime.clock.alarm(at, self._fire)

    def _disarm(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _fire(self) -> None:
        with self._lock:
            self._cancel = None
        self.nudge()

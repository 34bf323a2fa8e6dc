"""One timer for everything that falls due: delays, leases, expiry, deadlines of long polls."""

import threading

from crossdock.core.clock import Cancel
from crossdock.core.model import Address
from crossdock.storage.base import Store

from .runtime import Runtime
from .waiting import WaitingRoom

SWEEP_MS_MAX = 5_000
"""Longest pause between two sweeps of a server."""
POLL_MS = 1_000
"""Longest time that a wake-up lost between processes may go unnoticed while somebody waits (F30)."""


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

    def nudge(self, at: int = 0) -> None:
        """Sweep at the time `at` at the latest, at once when it has come."""
        with self._lock:
            if self._stopped or self._pending:
                return
            if at > self._runtime.clock.now():
                self._arm(at)
                return
            self._pending = True
        self._runtime.spawn(self._sweep)

    async def _sweep(self) -> None:
        with self._lock:
            self._pending = False
            if self._stopped:
                return
        now = self._runtime.clock.now()
        tick = await self._store.tick(now)
        self._room.wake_heads(tick.ready)
        dues = [due for due in (tick.next_due, self._room.expire(now)) if due]
        if self._steady:
            dues.append(now + SWEEP_MS_MAX)
        elif self._room.members and self._store.abilities.shared:
            dues.append(now + POLL_MS)
            self._room.wake_heads()
        if self._steady or self._room.members:
            with self._lock:
                self._arm(max(min(dues), now + 1))

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

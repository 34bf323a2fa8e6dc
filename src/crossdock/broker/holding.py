"""What one consumer was given and has not answered yet, and how much more it may be given."""

from collections import deque
from collections.abc import Iterable
from typing import Literal

from msgspec import structs

from crossdock.core.model import Delivery

AHEAD_MAX = 100
"""Most deliveries that wait for one consumer to take them, however large its prefetch (F32)."""
NEVER = 2**63

Key = tuple[int, int]
"""Id and epoch of a delivery."""
Holders = dict[Key, "Holding"]
"""Who holds which delivery, of all consumers of a group."""


class Holding:
    """The deliveries of one consumer. Whoever uses it holds the lock of its group.

    `prefetch` bounds the deliveries that are not answered. With `auto_ack` they are as good as answered when they are
    handed over; it bounds those that wait, and more come only while the consumer asks, so that few are lost with it.
    """

    def __init__(self, prefetch: int, auto_ack: bool, holders: Holders) -> None:
        self.prefetch = prefetch
        self.auto_ack = auto_ack
        self.active = not auto_ack
        """Whether it may be given more. Not, when a lease ended that it never saw: until it asks again."""
        self.closed = False
        self.first_end = NEVER
        """No lease of it ends before."""
        self._holders = holders
        self._held: dict[Key, Delivery] = {}
        self._ahead: deque[Delivery] = deque()
        """Those that wait to be taken, in order."""

    def room(self, now: int) -> int:
        """How many messages more it may be given now."""
        if now >= self.first_end:
            self._forget_ended(now)
        if not self.active:
            return 0
        waiting = len(self._ahead)
        unanswered = waiting if self.auto_ack else len(self._held)
        return max(0, min(self.prefetch - unanswered, AHEAD_MAX - waiting))

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries behind those that wait."""
        for delivery in deliveries:
            self._ahead.append(delivery)
            if not self.auto_ack:
                key = (delivery.id, delivery.epoch)
                self._held[key] = delivery
                self._holders[key] = self
                self.first_end = min(self.first_end, delivery.lease_until)

    def pop(self, now: int) -> Delivery | None:
        """The next delivery that waits, its lease still running; None without one."""
        while self._ahead:
            delivery = self._ahead.popleft()
            if self.auto_ack or delivery.lease_until > now:
                return delivery
            self.drop((delivery.id, delivery.epoch))
        return None

    def drop(self, key: Key) -> None:
        """A delivery was answered, or its lease is over."""
        self._held.pop(key, None)
        self._holders.pop(key, None)

    def extend(self, key: Key, lease_until: int) -> None:
        """The lease of a delivery ends at another time."""
        self._held[key] = structs.replace(self._held[key], lease_until=lease_until)
        self.first_end = min(self.first_end, lease_until)

    def give_up(self, which: Literal["waiting", "all"]) -> list[Delivery]:
        """Let go of those that wait to be taken, or of all that are not answered; returns what has a lease."""
        waiting, self._ahead = self._ahead, deque()
        given_up = list(self._held.values()) if which == "all" else [] if self.auto_ack else list(waiting)
        for delivery in given_up:
            self.drop((delivery.id, delivery.epoch))
        return given_up

    def next_end(self, now: int) -> int:
        """When the first lease of an unanswered delivery ends; NEVER without one."""
        self._forget_ended(now)
        return self.first_end

    def _forget_ended(self, now: int) -> None:
        ended = [key for key, delivery in self._held.items() if delivery.lease_until <= now]
        for key in ended:
            self.drop(key)
        running = deque(delivery for delivery in self._ahead if self.auto_ack or delivery.lease_until > now)
        if len(running) < len(self._ahead):
            self._ahead = running
            self.active = False
        self.first_end = min((delivery.lease_until for delivery in self._held.values()), default=NEVER)

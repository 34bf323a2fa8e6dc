"""What moves messages without a consumer's hand: ended leases and delays, expiry, dead letters, redrive."""

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import QueueFull
from ..model import (
    Address,
    Delivery,
    Message,
    Reason,
    Settings,
)
from ..policy import REFUSED_DELAY_MS, accept, dead_letter_headers, origin_of, strip_dead_letter_headers
from .group import Entry, Group
from .queue import Queue
from .registry import Registry


class Moves(Registry):
    """The engine's moves between states and queues."""

    # What falls due

    def _delay_ended(self, queue: Queue, group: Group, entries: list[Entry], now: int) -> None:
        for entry in entries:
            group.ripen(entry)
        self._ready.add(queue.address)

    def _lease_ended(self, queue: Queue, group: Group, leases: list[Delivery], now: int) -> None:
        leases.sort(key=lambda lease: (lease.lease_until, lease.id))
        for lease in leases:
            queue.totals.returned += 1
            self._return(queue, group, lease, lease.lease_until, now)

    def _return(self, queue: Queue, group: Group, lease: Delivery, deliver_at: int, now: int) -> None:
        """A lease ended without success: again at `deliver_at`, or the end of the message for this group."""
        message = lease.message
        if message.expired(now):
            self._expire(queue, group, message, lease.attempt, now)
        elif queue.rules.used_up(lease.attempt):
            self._bury(queue, group, message, "attempts", lease.attempt, now)
        else:
            self._again(queue, group, lease, deliver_at, now)

    def _again(self, queue: Queue, group: Group, lease: Delivery, deliver_at: int, now: int) -> None:
        group.end_lease(lease)
        queue.unleased(lease.message)
        group.put(Entry(lease.message, deliver_at, lease.attempt), now)
        if deliver_at <= now:
            self._ready.add(queue.address)
        else:
            self._schedule(group.delayed)

    def _expired(self, queue: Queue, messages: list[Message], now: int) -> None:
        messages.sort(key=lambda message: (message.expires_at, message.id))
        for message in messages:
            if not message.pending:
                self._expire_ungrouped(queue, message, now)
                continue
            for group in list(queue.groups.values()):
                if message.pending & group.bit and message.id not in group.leased:
                    entry = group.entries.get(message.id)
                    self._expire(queue, group, message, entry.attempts if entry else 0, now)

    def _expire(self, queue: Queue, group: Group, message: Message, attempts: int, now: int) -> None:
        if queue.rules.dead_letter_expired:
            self._bury(queue, group, message, "expired", attempts, now)
        else:
            queue.totals.expired += 1
            self._done(queue, group, message)

    def _expire_ungrouped(self, queue: Queue, message: Message, now: int) -> None:
        """Expire a message of a queue that has no group."""
        if queue.rules.dead_letter_expired:
            letter = _Letter(message, "", "expired", "", 0)
            if not self._deliver_dead(queue, letter, now):
                message.expires_at = now + REFUSED_DELAY_MS
                queue.expiry.add(message)
                return
            queue.totals.dead += 1
        else:
            queue.totals.expired += 1
        queue.remove(message)

    def _done(self, queue: Queue, group: Group, message: Message) -> None:
        if queue.done(group, message):
            self._ready.add(queue.address)

    # Dead letters

    def _bury(self, queue: Queue, group: Group, message: Message, reason: Reason, attempts: int, now: int) -> None:
        """Dead-letter a message for one group; where the queue has no dead-letter queue it is dropped."""
        if not queue.rules.dead_letter:
            queue.totals.dropped += 1
            self._done(queue, group, message)
            return
        letter = _Letter(message, group.name, reason, group.errors.get(message.id, ""), attempts)
        if self._deliver_dead(queue, letter, now):
            queue.totals.dead += 1
            self._done(queue, group, message)
        else:
            self._refused(queue, group, message, attempts, now)

    def _refused(self, queue: Queue, group: Group, message: Message, attempts: int, now: int) -> None:
        """The dead-letter queue is full: the message stays and is tried again later (F6)."""
        if message.expired(now):
            message.expires_at = now + REFUSED_DELAY_MS
            queue.expiry.add(message)
            self._schedule(queue.expiry)
        lease = group.leased.get(message.id)
        if lease is not None:
            self._again(queue, group, lease, now + REFUSED_DELAY_MS, now)

    def _deliver_dead(self, queue: Queue, letter: "_Letter", now: int) -> bool:
        """Store a dead letter in the queue's dead-letter queue, which is made if need be. False: it is full."""
        address = (queue.address[0], queue.rules.dead_letter)
        try:
            target = self._queues.get(address) or self._add_queue(address, Settings())
            target.make_room(1, len(letter.message.body))
        except QueueFull:
            return False
        message = letter.message
        taken = message.id in target.messages
        if taken:
            self.last_id += 1
        dead = Message(
            message.body,
            dead_letter_headers(
                message.headers,
                queue.address[1],
                letter.group,
                letter.reason,
                letter.error,
                letter.attempts,
                message.id if taken else 0,
            ),
            message.priority,
            ordering_key=message.ordering_key,
            deliver_at=now,
            id=self.last_id if taken else message.id,
            enqueued_at=message.enqueued_at,
        )
        self._store_moved(target, dead, list(target.groups.values()), now)
        return True

    def _store_moved(self, target: Queue, message: Message, groups: Sequence[Group], now: int) -> None:
        target.disordered = True
        if groups or not target.rules.topic:
            target.store(message, now, groups)
            self._schedule(target.expiry)
        self._ready.add(target.address)

    # Redrive

    def redrive(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        """See Store."""
        now = self._begin(now)
        queue = self._queue(address)
        chosen = (
            list(queue.by_id()) if ids is None else [queue.messages[i] for i in sorted(set(ids)) if i in queue.messages]
        )
        moved = 0
        for message in chosen:
            if not queue.leases(message) and self._send_home(queue, message, now):
                if queue.forget(message):
                    self._ready.add(address)
                moved += 1
        queue.totals.redriven += moved
        return moved

    def _send_home(self, queue: Queue, letter: Message, now: int) -> bool:
        """Give a dead letter back to its origin. False: it has none, or the origin cannot take it."""
        home = origin_of(letter)
        origin = self._queues.get((queue.address[0], home.queue)) if home is not None else None
        if home is None or origin is None or origin is queue or home.id > self.last_id:
            return False
        group = origin.groups.get(home.group)
        groups = [group] if group is not None else list(origin.groups.values())
        stored = origin.messages.get(home.id)
        if stored is not None and stored.expired(now):
            return False
        if stored is not None:
            self._rejoin(origin, stored, groups, now)
            return True
        if origin.rules.topic and not groups:
            return False
        try:
            origin.make_room(1, len(letter.body))
        except QueueFull:
            return False
        message = Message(
            letter.body,
            strip_dead_letter_headers(letter.headers),
            letter.priority,
            ordering_key=letter.ordering_key,
            id=home.id,
        )
        accept(message, origin.rules, now)
        message.enqueued_at = letter.enqueued_at
        self._store_moved(origin, message, groups, now)
        return True

    def _rejoin(self, queue: Queue, message: Message, groups: Sequence[Group], now: int) -> None:
        """Offer a message that other groups still hold to groups that were done with it."""
        for group in groups:
            if not message.pending & group.bit:
                message.pending |= group.bit
                group.backlog += 1
                group.put_back(message, now)
                self._ready.add(queue.address)


class _Letter(NamedTuple):
    """A message on its way to the dead-letter queue."""

    message: Message
    group: str
    reason: Reason
    error: str
    attempts: int

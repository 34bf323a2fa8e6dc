"""The whole of crossdock's behaviour in memory: deterministic, without I/O, clock, threads or randomness.

The memory store is this engine behind a lock; for the stores that own their state it is the reference model.
Its verbs are those of `storage.base.Store`, as plain functions. Nothing looks at more than it changes: what falls due
is found by a heap of timelines, the next message by a lane and a heap.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ..errors import CrossdockError, DedupConflict, Failures, LeaseLost, MessageNotFound
from ..limits import DEFAULT_LEASE_MS
from ..model import Address, Delivery, Message, Plain, Receipt, SendResult, Tick
from ..policy import accept, body_digest, retry_delay
from .group import Group
from .moves import Moves
from .queue import Queue, Seen
from .snapshot import Snapshots
from .timeline import NEVER
from .views import Views

Answer = Callable[[Queue, Group, Delivery], None]

NO_FAILURES: Failures = MappingProxyType({})
"""The answer to a batch in which nothing failed; always this object."""


class Engine(Moves, Views, Snapshots):
    """All queues of one store. Not thread-safe. `generation` tells this life of the store from others."""

    # The hot verbs begin with the body of `_begin` and look up by hand: at this rate every call shows.

    def send(self, address: Address, messages: Sequence[Message], now: int) -> SendResult:
        """See Store."""
        if now < self.now:
            now = self.now
        else:
            self.now = now
        if now >= self.due:
            self._run(now)
        queue = self._queues.get(address) or self._queue(address)
        if queue.guarded:
            return self._send_checked(queue, messages, now)
        priority = messages[0].priority
        for message in messages:
            if message.__class__ is Plain and not priority:
                continue
            if (
                message.dedup_id is not None
                or message.delay
                or message.deliver_at
                or message.ttl
                or message.priority != priority
            ):
                return self._send_checked(queue, messages, now)
        # Messages that are due at once, never expire, have one priority and need no check: the usual ones.
        message_id = self.last_id
        stored, mask = queue.messages, queue.mask
        ids = []
        size = 0
        for message in messages:
            message_id += 1
            message.id = message_id
            message.deliver_at = message.enqueued_at = now
            message.pending = mask
            stored[message_id] = message
            size += len(message.body)
            ids.append(message_id)
        self.last_id = message_id
        queue.bytes += size
        queue.totals.sent += len(ids)
        for group in queue.readers:
            group.backlog += len(ids)
            if group.lane_priority == priority:
                group.lane.extend(messages)
            else:
                group.offer_all(messages, priority)
        return SendResult(ids, [])

    def _send_checked(self, queue: Queue, messages: Sequence[Message], now: int) -> SendResult:
        """Send a batch that may be refused, or in part be known already (F25)."""
        for message in messages:
            accept(message, queue.rules, now)
        fresh, seen, repeats = self._tell_repeats(queue, messages)
        queue.make_room(len(fresh), sum(len(message.body) for message in fresh))
        self._store_fresh(queue, fresh, now)
        self._remember(queue, seen, now)
        queue.totals.duplicates += len(repeats)
        known = {index: first.id if isinstance(first, Message) else first for index, first in repeats.items()}
        return SendResult([known.get(index, message.id) for index, message in enumerate(messages)], list(known))

    def _tell_repeats(
        self, queue: Queue, messages: Sequence[Message]
    ) -> tuple[list[Message], dict[str, tuple[bytes, Message]], dict[int, Message | int]]:
        """Which of a batch are new, the first of each new dedup id, and which index repeats what."""
        fresh: list[Message] = []
        first_of: dict[str, tuple[bytes, Message]] = {}
        repeats: dict[int, Message | int] = {}
        for index, message in enumerate(messages):
            dedup_id = message.dedup_id
            if dedup_id is None:
                fresh.append(message)
                continue
            digest = body_digest(message.body)
            seen = queue.dedup.get(dedup_id)
            known = first_of.get(dedup_id) if seen is None else (seen.digest, seen.message_id)
            if known is None:
                first_of[dedup_id] = (digest, message)
                fresh.append(message)
            elif known[0] == digest:
                repeats[index] = known[1]
            else:
                raise DedupConflict(dedup_id)
        return fresh, first_of, repeats

    def _store_fresh(self, queue: Queue, messages: Sequence[Message], now: int) -> None:
        groups = list(queue.groups.values())
        queue.totals.sent += len(messages)
        for message in messages:
            self.last_id += 1
            message.id = self.last_id
            if groups or not queue.rules.topic:
                queue.store(message, now, groups)
        self._schedule(queue.expiry)
        for group in groups:
            self._schedule(group.delayed)

    def _remember(self, queue: Queue, first_of: Mapping[str, tuple[bytes, Message]], now: int) -> None:
        """Keep the dedup ids of new messages for the queue's window."""
        window = queue.rules.dedup_window
        if window:
            for dedup_id, (digest, message) in first_of.items():
                seen = queue.dedup[dedup_id] = Seen(dedup_id, digest, message.id, now + window)
                queue.dedup_ends.add(seen)
            self._schedule(queue.dedup_ends)

    def receive(
        self,
        address: Address,
        group: str,
        limit: int,
        lease: int,
        now: int,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> list[Delivery]:
        """See Store."""
        if now < self.now:
            now = self.now
        else:
            self.now = now
        if now >= self.due:
            self._run(now)
        queue = self._queues.get(address) or self._queue(address)
        reader = queue.groups.get(group) or self._group(queue, group, now)
        if queue.rules.paused:
            return []
        lease_until = now + (lease or queue.rules.lease or default_lease)
        epoch = self.epoch + 1
        taken = reader.take(limit, lease_until, epoch, self.generation, consumer)
        if not taken:
            return taken  # and nothing has changed, so that a log need not tell of it
        self.epoch = epoch
        queue.totals.delivered += len(taken)
        if auto_ack:
            queue.totals.acked += len(taken)
            for delivery in taken:
                self._done(queue, reader, delivery.message)
        elif lease_until < reader.leases.scheduled:
            self._schedule(reader.leases)
        return taken

    def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Failures:
        """See Store."""
        if now >= self.due:
            self._begin(now)
        queue = self._queues.get(address) or self._queue(address)
        reader = queue.groups.get(group)
        if reader is None:
            return self._stale(queue, receipts)
        if len(receipts) == 1 and not reader.errors and queue.oldest is None:
            # One answer at a time is how most programs work; this spares it what only a batch needs.
            receipt = receipts[0]
            lease = reader.leased.get(receipt.id)
            if lease is not None and lease.epoch == receipt.epoch and receipt.generation == self.generation:
                message = lease.message
                if message.ordering_key is None and not message.expires_at:
                    del reader.leased[message.id]
                    reader.backlog -= 1
                    queue.totals.acked += 1
                    message.pending = pending = message.pending & reader.others
                    if not pending:
                        del queue.messages[message.id]
                        queue.bytes -= len(message.body)
                    return NO_FAILURES
        return self._ack_each(queue, reader, receipts)

    def _ack_each(self, queue: Queue, reader: Group, receipts: Sequence[Receipt]) -> Failures:
        leased = reader.leased
        messages = queue.messages
        generation = self.generation
        others = reader.others
        unusual = reader.errors or queue.oldest is not None
        failures: dict[int, CrossdockError] = {}
        done = plain = size = 0
        for receipt in receipts:
            lease = leased.get(receipt.id)
            if lease is None or lease.epoch != receipt.epoch or receipt.generation != generation:
                failures[done + plain + len(failures)] = self._why_stale(queue, receipt)
                continue
            message = lease.message
            if unusual or message.ordering_key is not None or message.expires_at:
                self._done(queue, reader, message)
                done += 1
                continue
            # What `_done` comes to for the usual message, without its calls.
            del leased[message.id]
            pending = message.pending & others
            if pending:
                message.pending = pending
            else:
                del messages[message.id]
                size += len(message.body)
            plain += 1
        queue.bytes -= size
        reader.backlog -= plain
        queue.totals.acked += done + plain
        return failures or NO_FAILURES

    def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        now: int,
        jitter: float,
        delay: int | None = None,
        error: str = "",
    ) -> Failures:
        """See Store."""
        now = self._begin(now)

        def answer(queue: Queue, reader: Group, lease: Delivery) -> None:
            queue.totals.nacked += 1
            wait = retry_delay(queue.rules.backoff, lease.attempt, jitter) if delay is None else delay
            self._return(queue, reader, lease, now + wait, now)

        return self._answer(address, group, receipts, error, answer)

    def reject(self, address: Address, group: str, receipts: Sequence[Receipt], now: int, error: str = "") -> Failures:
        """See Store."""
        now = self._begin(now)

        def answer(queue: Queue, reader: Group, lease: Delivery) -> None:
            self._bury(queue, reader, lease.message, "rejected", lease.attempt, now)

        return self._answer(address, group, receipts, error, answer)

    def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, now: int) -> Failures:
        """See Store."""
        now = self._begin(now)

        def answer(queue: Queue, reader: Group, current: Delivery) -> None:
            longer = Delivery(
                current.id,
                current.epoch,
                current.generation,
                current.message,
                current.attempt,
                now + lease,
                current.consumer,
            )
            reader.leases.replace(longer)
            self._schedule(reader.leases)

        return self._answer(address, group, receipts, "", answer)

    def _answer(
        self, address: Address, group: str, receipts: Sequence[Receipt], error: str, answer: Answer
    ) -> Failures:
        """Apply an answer to each lease that is still held; keep the error text for the next look."""
        queue = self._queue(address)
        reader = queue.groups.get(group)
        if reader is None:
            return self._stale(queue, receipts)
        failures: dict[int, CrossdockError] = {}
        for index, receipt in enumerate(receipts):
            lease = reader.current(receipt, self.generation)
            if lease is None:
                failures[index] = self._why_stale(queue, receipt)
                continue
            if error:
                reader.errors[lease.id] = error
            answer(queue, reader, lease)
        return failures

    def _stale(self, queue: Queue, receipts: Sequence[Receipt]) -> Failures:
        return {index: self._why_stale(queue, receipt) for index, receipt in enumerate(receipts)}

    def _why_stale(self, queue: Queue, receipt: Receipt) -> LeaseLost:
        stored = receipt.generation == self.generation and receipt.id in queue.messages
        return LeaseLost(receipt.id) if stored else MessageNotFound(receipt.id)

    def delete_messages(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        """See Store."""
        self._begin(now)
        queue = self._queue(address)
        chosen = list(queue.messages.values())
        if ids is not None:
            chosen = [queue.messages[i] for i in dict.fromkeys(ids) if i in queue.messages]
        for message in chosen:
            if queue.forget(message):
                self._ready.add(address)
        queue.totals.purged += len(chosen)
        return len(chosen)

    def tick(self, now: int) -> Tick:
        """See Store."""
        self._begin(now)
        ready = sorted(self._ready)
        self._ready.clear()
        return Tick(ready, 0 if self.due == NEVER else self.due)

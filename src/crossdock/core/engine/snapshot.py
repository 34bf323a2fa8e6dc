"""The engine's whole state as a stream of plain items, and back. Who keeps them decides how, and where bodies lie."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from msgspec import Struct

from ..limits import GROUPS_MAX
from ..model import Delivery, Headers, Message, Settings, Totals
from ..policy import Rules
from .group import Entry, Group, Held, Ranked
from .queue import Queue, Seen
from .registry import Registry

T = TypeVar("T")

_WIDE = 2**63
PART_ITEMS = 1_000
"""Most messages, leases and so on in one item of the stream."""


class EngineState(Struct, array_like=True, tag="engine"):
    """Comes first."""

    now: int
    last_id: int
    epoch: int
    generation: int


class QueueState(Struct, array_like=True, tag="queue"):
    """Begins a queue; what follows belongs to it."""

    namespace: str
    name: str
    settings: Settings
    totals: Totals
    disordered: bool


class MessageState(Struct, array_like=True, gc=False):
    """One message. `body` is bytes, or whatever stands for them where the stream is kept."""

    id: int
    body: Any
    headers: Headers | None
    priority: int
    delay: int
    ttl: int
    dedup_id: str | None
    ordering_key: str | None
    deliver_at: int
    expires_at: int
    enqueued_at: int
    pending: int | bytes
    """Bytes when it has more bits than a number of the stream may have."""


class Messages(Struct, array_like=True, tag="messages"):
    """Messages of the queue, in its order."""

    messages: list[MessageState]


class Dedup(Struct, array_like=True, tag="dedup"):
    """Dedup ids of the queue: (id, digest, message id, until)."""

    seen: list[tuple[str, bytes, int, int]]


class GroupState(Struct, array_like=True, tag="group"):
    """Begins a group of the queue; what follows belongs to it. Its lane is what of its messages stands nowhere else."""

    name: str
    place: int
    """Of its bit in `pending`."""


class Errors(Struct, array_like=True, tag="errors"):
    """Texts of the group's latest failures: (message id, text)."""

    errors: list[tuple[int, str]]


class Leased(Struct, array_like=True, tag="leased"):
    """Leases of the group in their order: (message id, epoch, attempt, lease_until, consumer)."""

    leases: list[tuple[int, int, int, int, str]]


class Entries(Struct, array_like=True, tag="entries"):
    """Standings in the group: (message id, deliver_at, attempts, delayed, parked behind its ordering key)."""

    entries: list[tuple[int, int, int, bool, bool]]


class Keys(Struct, array_like=True, tag="keys"):
    """Ordering keys in use: (key, id of the holder, id of the one let go)."""

    keys: list[tuple[str, int, int]]


Item = EngineState | QueueState | Messages | Dedup | GroupState | Errors | Leased | Entries | Keys


class Snapshots(Registry):
    """The engine's state out of it and into a new one."""

    def dump(self) -> Iterator[Item]:
        """The state, item by item. The engine must not change meanwhile."""
        yield EngineState(self.now, self.last_id, self.epoch, self.generation)
        for (namespace, name), queue in self._queues.items():
            yield QueueState(namespace, name, queue.settings, queue.totals, queue.disordered)
            for messages in _parts(queue.messages.values()):
                yield Messages([_message_state(message) for message in messages])
            for seen in _parts(queue.dedup.values()):
                yield Dedup([(each.dedup_id, each.digest, each.message_id, each.until) for each in seen])
            for group in queue.groups.values():
                yield from _dump_group(group)

    def restore(self, items: Iterable[Item]) -> None:
        """Fill a new engine. Raises ValueError for a stream that `dump` cannot have made."""
        queue: Queue | None = None
        group: Group | None = None
        for item in items:
            if isinstance(item, EngineState):
                self.now, self.last_id = item.now, item.last_id
                self.epoch, self.generation = item.epoch, item.generation
            elif isinstance(item, QueueState):
                self._finish(queue, group)
                queue, group = self._restore_queue(item), None
            elif queue is None:
                raise ValueError("a snapshot has something outside of a queue")
            elif isinstance(item, GroupState):
                self._finish_group(queue, group)
                group = self._restore_group(queue, item)
            elif isinstance(item, Messages | Dedup):
                _restore_messages(queue, item)
            elif group is None:
                raise ValueError("a snapshot has something outside of a group")
            else:
                self._restore_standing(queue, group, item)
        self._finish(queue, group)

    def _restore_queue(self, state: QueueState) -> Queue:
        address = state.namespace, state.name
        rules = Rules(state.name, state.settings, self._defaults)
        queue = self._queues[address] = Queue(address, state.settings, rules, self._expired)
        queue.totals, queue.disordered = state.totals, state.disordered
        return queue

    def _restore_group(self, queue: Queue, state: GroupState) -> Group:
        group = queue.groups[state.name] = Group(
            queue.address,
            state.name,
            1 << state.place,
            partial(self._lease_ended, queue),
            partial(self._delay_ended, queue),
        )
        return group

    def _restore_standing(self, queue: Queue, group: Group, item: Errors | Leased | Entries | Keys) -> None:
        if isinstance(item, Errors):
            group.errors.update(item.errors)
        elif isinstance(item, Leased):
            for message_id, epoch, attempt, until, consumer in item.leases:
                message = queue.messages[message_id]
                lease = Delivery(message_id, epoch, self.generation, message, attempt, until, consumer)
                group.leased[message_id] = lease
                group.leases.added((lease,), until)
        elif isinstance(item, Entries):
            for message_id, deliver_at, attempts, delayed, parked in item.entries:
                entry = group.entries[message_id] = Entry(queue.messages[message_id], deliver_at, attempts)
                if delayed:
                    entry.delayed = True
                    group.delayed_count += 1
                    group.delayed.add(entry)
                else:
                    ranked = (*entry.key(), entry)
                    key = entry.message.ordering_key or ""
                    heapq.heappush(group.held.setdefault(key, Held()).parked if parked else group.heap, ranked)
        else:
            for key, holder, following in item.keys:
                held = group.held.setdefault(key, Held())
                held.holder, held.next = holder, following

    def _finish_group(self, queue: Queue, group: Group | None) -> None:
        """All of a group was read: derive what is not in the stream, set its timers."""
        if group is None:
            return
        mine = [message for message in queue.messages.values() if message.pending & group.bit]
        lane = [m for m in mine if m.id not in group.entries and m.id not in group.leased]
        lane.sort(key=lambda message: (message.deliver_at, message.id))
        group.backlog = len(mine)
        group.lane = deque(lane)
        group.lane_priority = lane[0].priority if lane else 0
        self._schedule(group.leases)
        self._schedule(group.delayed)

    def _finish(self, queue: Queue | None, group: Group | None) -> None:
        """The same for a queue and its last group."""
        if queue is None:
            return
        self._finish_group(queue, group)
        queue.adopt_groups()
        for message in queue.messages.values():
            # One that has expired and is leased waits for that lease, and not for the timer.
            if message.expires_at > self.now or (message.expires_at and not queue.leases(message)):
                queue.expiry.add(message)
        queue.oldest = None
        queue.follow(queue.settings, queue.rules)
        self._schedule(queue.expiry)
        self._schedule(queue.dedup_ends)


def _parts(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(islice(rest, PART_ITEMS)):
        yield part


def _restore_messages(queue: Queue, item: Messages | Dedup) -> None:
    if isinstance(item, Messages):
        for state in item.messages:
            message = _message(state)
            queue.messages[message.id] = message
            queue.bytes += len(message.body)
    else:
        for dedup_id, digest, message_id, until in item.seen:
            seen = queue.dedup[dedup_id] = Seen(dedup_id, digest, message_id, until)
            queue.dedup_ends.add(seen)


def _message_state(message: Message) -> MessageState:
    return MessageState(
        message.id,
        message.body,
        message.headers,
        message.priority,
        message.delay,
        message.ttl,
        message.dedup_id,
        message.ordering_key,
        message.deliver_at,
        message.expires_at,
        message.enqueued_at,
        message.pending if message.pending < _WIDE else message.pending.to_bytes(GROUPS_MAX // 8 + 1, "big"),
    )


def _message(state: MessageState) -> Message:
    return Message(
        state.body,
        state.headers,
        state.priority,
        state.delay,
        state.ttl,
        state.dedup_id,
        state.ordering_key,
        state.deliver_at,
        state.expires_at,
        state.id,
        state.enqueued_at,
        state.pending if isinstance(state.pending, int) else int.from_bytes(state.pending, "big"),
    )


def _dump_group(group: Group) -> Iterator[Item]:
    yield GroupState(group.name, group.bit.bit_length() - 1)
    for errors in _parts(group.errors.items()):
        yield Errors(errors)
    for leases in _parts(group.leased.values()):
        yield Leased([(d.id, d.epoch, d.attempt, d.lease_until, d.consumer) for d in leases])
    parked = {ranked[2] for held in group.held.values() for ranked in held.parked if _live(group, ranked)}
    for entries in _parts(group.entries.values()):
        yield Entries([(e.message.id, e.deliver_at, e.attempts, e.delayed, e.message.id in parked) for e in entries])
    for keys in _parts(group.held.items()):
        yield Keys([(key, held.holder, held.next) for key, held in keys])


def _live(group: Group, ranked: Ranked) -> bool:
    return group.entries.get(ranked[2]) is ranked[3]

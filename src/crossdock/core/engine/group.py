"""A group's view of a queue: what it may get, what it has leased, what it must wait for."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from ..model import Address, Delivery, Message, Receipt
from .leases import Leases
from .timeline import Timeline

Key = tuple[int, int, int]
"""Order of delivery: (priority, deliver_at, id)."""

_STALE_MIN = 64


class Entry:
    """A message's standing in a group, once it is not simply waiting in the lane."""

    __slots__ = ("attempts", "delayed", "deliver_at", "message")

    def __init__(self, message: Message, deliver_at: int, attempts: int) -> None:
        self.message = message
        self.deliver_at = deliver_at
        self.attempts = attempts
        self.delayed = False

    def __lt__(self, other: "Entry") -> bool:
        # Heaps compare entries only where the keys are equal: one of the two is a leftover, so either order will do.
        return False

    def key(self) -> Key:
        return self.message.priority, self.deliver_at, self.message.id


Ranked = tuple[int, int, int, Entry]


class Held:
    """An ordering key in use: who holds it, who waits for it."""

    __slots__ = ("holder", "next", "parked")

    def __init__(self) -> None:
        self.holder = 0
        """Id of the leased or retrying message; 0 while the key is free but others wait."""
        self.next = 0
        """Id of the parked message that was let go to be handed out next."""
        self.parked: list[Ranked] = []


class Group:
    """State of one group. Messages that arrive in order wait in the lane, all others in the heap."""

    __slots__ = (
        "backlog",
        "bit",
        "delayed",
        "delayed_count",
        "entries",
        "errors",
        "heap",
        "held",
        "lane",
        "lane_priority",
        "lane_stale",
        "leased",
        "leases",
        "name",
        "others",
    )

    def __init__(
        self,
        address: Address,
        name: str,
        bit: int,
        lease_ended: Callable[["Group", list[Delivery], int], None],
        delay_ended: Callable[["Group", list[Entry], int], None],
    ) -> None:
        self.name = name
        self.bit = bit
        self.others = ~bit
        self.backlog = 0
        """Messages the group is not done with."""
        self.lane: deque[Message] = deque()
        self.lane_priority = 0
        self.lane_stale = 0
        self.heap: list[Ranked] = []
        self.entries: dict[int, Entry] = {}
        self.delayed_count = 0
        self.delayed: Timeline[Entry] = Timeline(
            lambda entry: entry.deliver_at,
            lambda entry: entry.delayed and self.entries.get(entry.message.id) is entry,
            lambda due, now: delay_ended(self, due, now),
            (*address, 2, name),
        )
        self.leases = Leases(lambda over, now: lease_ended(self, over, now), (*address, 3, name))
        self.leased = self.leases.held
        self.held: dict[str, Held] = {}
        self.errors: dict[int, str] = {}

    @property
    def ready_count(self) -> int:
        return self.backlog - self.delayed_count - len(self.leased)

    # Messages coming in

    def offer(self, message: Message, now: int) -> None:
        """Take in a message that was never handed out."""
        last = self.lane[-1] if self.lane else None
        if message.deliver_at > now:
            self.put(Entry(message, message.deliver_at, 0), now)
        elif last is None:
            self.lane_priority = message.priority
            self.lane.append(message)
        elif message.priority == self.lane_priority and (message.deliver_at, message.id) > (last.deliver_at, last.id):
            self.lane.append(message)
        else:
            self.put(Entry(message, message.deliver_at, 0), now)

    def offer_all(self, messages: Sequence[Message], priority: int) -> None:
        """Take in messages of another priority than the lane's, due now."""
        if not self.lane:
            self.lane_priority = priority
            self.lane.extend(messages)
        else:
            for message in messages:
                self.put(Entry(message, message.deliver_at, 0), message.deliver_at)

    def put(self, entry: Entry, now: int) -> None:
        """Take in a message with a standing: delayed until its deliver_at, or ready."""
        self.entries[entry.message.id] = entry
        if entry.deliver_at > now:
            entry.delayed = True
            self.delayed_count += 1
            self.delayed.add(entry)
        else:
            heapq.heappush(self.heap, (*entry.key(), entry))

    def put_back(self, message: Message, now: int) -> None:
        """Take in a message again that the group was done with (redriven while another group kept it stored)."""
        if any(stale is message for stale in self.lane):
            self.lane = deque(m for m in self.lane if m is not message)
            self.lane_stale -= 1
        self.put(Entry(message, now, 0), now)

    def ripen(self, entry: Entry) -> None:
        """A delay is over."""
        entry.delayed = False
        self.delayed_count -= 1
        heapq.heappush(self.heap, (*entry.key(), entry))

    # Hand-out

    def take(self, limit: int, lease_until: int, epoch: int, generation: int, consumer: str) -> list[Delivery]:
        """Hand out up to `limit` messages in order."""
        taken: list[Delivery] = []
        lane, leased, bit = self.lane, self.leased, self.bit
        wanted = limit
        while wanted:
            if self.heap and (not lane or self._heap_first()):
                entry = heapq.heappop(self.heap)[3]
                message = entry.message
                if self.entries.get(message.id) is not entry:
                    continue
                if message.ordering_key is not None and not self._acquire(message, entry):
                    continue
                del self.entries[message.id]
                attempt = entry.attempts + 1
            elif lane:
                message = lane.popleft()
                if not message.pending & bit:
                    self.lane_stale -= 1
                    continue
                if message.ordering_key is not None and not self._acquire(message, None):
                    continue
                attempt = 1
            else:
                break
            delivery = Delivery(message.id, epoch, generation, message, attempt, lease_until, consumer)
            leased[message.id] = delivery
            taken.append(delivery)
            wanted -= 1
        self.leases.added(taken, lease_until)
        return taken

    def _heap_first(self) -> bool:
        head = self.lane[0]
        return self.heap[0][:3] < (head.priority, head.deliver_at, head.id)

    def _acquire(self, message: Message, entry: Entry | None) -> bool:
        """Take the ordering key for `message`; when another message holds it, park this one and return False."""
        key = message.ordering_key or ""
        held = self.held.get(key)
        if held is None:
            held = self.held[key] = Held()
        if held.holder in (0, message.id):
            held.holder = message.id
            return True
        if entry is None:
            entry = self.entries[message.id] = Entry(message, message.deliver_at, 0)
        heapq.heappush(held.parked, (*entry.key(), entry))
        return False

    def let_go(self, message: Message) -> bool:
        """The message is done or gone: its ordering key is free. Returns whether another became ready by it."""
        key = message.ordering_key or ""
        held = self.held.get(key)
        if held is None:
            return False
        if held.holder != message.id and (held.holder or held.next != message.id):
            if len(held.parked) > 2 * len(self.entries) + _STALE_MIN:
                held.parked = self._only_live(held.parked)
            return False
        held.holder = held.next = 0
        while held.parked:
            ranked = heapq.heappop(held.parked)
            if self.entries.get(ranked[2]) is ranked[3]:
                held.next = ranked[2]
                heapq.heappush(self.heap, ranked)
                return True
        del self.held[key]
        return False

    # Messages going out

    def current(self, receipt: Receipt, generation: int) -> Delivery | None:
        """The lease a receipt stands for, None when it is stale (F1)."""
        lease = self.leased.get(receipt.id)
        if lease is None or lease.epoch != receipt.epoch or generation != receipt.generation:
            return None
        return lease

    def end_lease(self, lease: Delivery) -> None:
        """The lease is over, however it ended."""
        del self.leased[lease.id]

    def drop(self, message: Message) -> bool:
        """Forget a message in whatever state it is; its pending bit was cleared before.

        Returns whether another became ready by it.
        """
        self.backlog -= 1
        if self.errors:
            self.errors.pop(message.id, None)
        lease = self.leased.get(message.id)
        entry = self.entries.pop(message.id, None)
        if lease is not None:
            self.end_lease(lease)
        elif entry is None:
            self._forget_in_lane()
        elif entry.delayed:
            self.delayed_count -= 1
            self.delayed.trim(self.delayed_count)
        if len(self.heap) > 2 * len(self.entries) + _STALE_MIN:
            self.heap = self._only_live(self.heap)
        return message.ordering_key is not None and self.let_go(message)

    def _only_live(self, heap: list[Ranked]) -> list[Ranked]:
        live = [ranked for ranked in heap if self.entries.get(ranked[2]) is ranked[3]]
        heapq.heapify(live)
        return live

    def _forget_in_lane(self) -> None:
        self.lane_stale += 1
        if self.lane_stale > _STALE_MIN and self.lane_stale * 2 > len(self.lane):
            self.lane = deque(m for m in self.lane if m.pending & self.bit)
            self.lane_stale = 0

    # Looking

    def upcoming(self) -> Iterator[Message]:
        """The messages that can be handed out, in order, as things stand."""
        keys: set[str] = set()
        for message in self._in_order():
            key = message.ordering_key
            if key is not None:
                held = self.held.get(key)
                if key in keys or (held is not None and held.holder not in (0, message.id)):
                    continue
                keys.add(key)
            yield message

    def _in_order(self) -> Iterator[Message]:
        lane = (m for m in self.lane if m.pending & self.bit)
        live = [ranked for ranked in self.heap if self.entries.get(ranked[2]) is ranked[3]]
        ranked_lane = ((m.priority, m.deliver_at, m.id, m) for m in lane)
        ranked_heap = ((*ranked[:3], ranked[3].message) for ranked in sorted(live, key=lambda r: r[:3]))
        for ranked in heapq.merge(ranked_lane, ranked_heap, key=lambda r: r[:3]):
            yield ranked[3]

    def standing(self, message: Message) -> tuple[Delivery | None, Entry | None]:
        """The lease or the entry of a message, if it has either."""
        return self.leased.get(message.id), self.entries.get(message.id)

"""State of one queue: its messages, groups, dedup ids and counts."""

from collections.abc import Callable, Iterable

from ..errors import MessageNotFound
from ..limits import GROUPS_MAX
from ..model import Address, Delivery, GroupStats, Message, Peeked, Settings, State, Totals
from ..policy import Rules, too_many_groups
from .group import Entry, Group
from .timeline import Timeline


class Seen:
    """A dedup id in its window."""

    __slots__ = ("dedup_id", "digest", "message_id", "until")

    def __init__(self, dedup_id: str, digest: bytes, message_id: int, until: int) -> None:
        self.dedup_id = dedup_id
        self.digest = digest
        self.message_id = message_id
        self.until = until


class Queue:
    """One queue. Knows no other queue; what crosses queues (dead letters, redrive) is the engine's."""

    def __init__(
        self,
        address: Address,
        settings: Settings,
        rules: Rules,
        expired: Callable[["Queue", list[Message], int], None],
    ) -> None:
        self.address = address
        self.totals = Totals()
        self.bytes = 0
        self.messages: dict[int, Message] = {}
        self.disordered = False
        """Whether `messages` may be out of order of id."""
        self.groups: dict[str, Group] = {}
        self.readers: tuple[Group, ...] = ()
        """The groups again, for the hot path."""
        self.mask = 0
        """Bits of all groups."""
        self.dedup: dict[str, Seen] = {}
        self.dedup_ends: Timeline[Seen] = Timeline(
            lambda seen: seen.until,
            lambda seen: self.dedup.get(seen.dedup_id) is seen,
            self._forget_seen,
            (*address, 0, ""),
        )
        self.expiry: Timeline[Message] = Timeline(
            lambda message: message.expires_at,
            self.stores,
            lambda due, now: expired(self, due, now),
            (*address, 1, ""),
        )
        self.guarded = False
        """Whether a send must look at the rules: bounds, time to live, a topic."""
        self.oldest: Timeline[Message] | None = None
        """Messages by id, kept only where the overflow rule is drop-oldest."""
        self.spared: set[int] = set()
        """Ids of leased messages that `oldest` lost while room was made; the end of the lease puts them in again."""
        self.follow(settings, rules)

    def follow(self, settings: Settings, rules: Rules) -> None:
        """Take over new settings."""
        self.settings = settings
        self.rules = rules
        self.guarded = rules.bounded or rules.drop_oldest or rules.topic or rules.ttl > 0
        if not rules.drop_oldest:
            self.oldest = None
            self.spared.clear()
        elif self.oldest is None:
            self.oldest = Timeline(lambda message: message.id, self.stores, lambda due, now: None)
            for message in self.by_id():
                self.oldest.add(message)

    def stores(self, message: Message) -> bool:
        """Whether this very message is stored."""
        return self.messages.get(message.id) is message

    def leases(self, message: Message) -> bool:
        """Whether any group has leased the message."""
        return any(message.id in group.leased for group in self.groups.values())

    def by_id(self) -> Iterable[Message]:
        """The stored messages in order of id."""
        if self.disordered:
            self.messages = dict(sorted(self.messages.items()))
            self.disordered = False
        return self.messages.values()

    def find(self, message_id: int) -> Message:
        """The stored message of that id. Raises MessageNotFound."""
        message = self.messages.get(message_id)
        if message is None:
            raise MessageNotFound(message_id)
        return message

    def _forget_seen(self, ended: list[Seen], now: int) -> None:
        for seen in ended:
            del self.dedup[seen.dedup_id]

    # Room

    def make_room(self, count: int, size: int) -> None:
        """Make sure that `count` messages of `size` bytes fit. Raises QueueFull, and then nothing was dropped."""
        rules = self.rules
        over, over_bytes = rules.excess(len(self.messages) + count, self.bytes + size)
        if not count or (over <= 0 and over_bytes <= 0):
            return
        if self.oldest is None or over > len(self.messages) or over_bytes > self.bytes:
            raise rules.full(self.address[1])
        dropped: list[Message] = []
        while (over > 0 or over_bytes > 0) and (message := self.oldest.pop_first()) is not None:
            if self.leases(message):
                self.spared.add(message.id)
            else:
                dropped.append(message)
                over -= 1
                over_bytes -= len(message.body)
        if over > 0 or over_bytes > 0:
            for message in dropped:
                self.oldest.add(message)
            raise rules.full(self.address[1])
        for message in dropped:
            self.forget(message)
        self.totals.dropped += len(dropped)

    def unleased(self, message: Message) -> None:
        """A lease of a message ended that stays stored: it may be dropped to make room."""
        if self.oldest is not None and message.id in self.spared:
            self.spared.discard(message.id)
            self.oldest.add(message)

    # Messages in and out

    def store(self, message: Message, now: int, groups: Iterable[Group]) -> None:
        """Store a message and offer it to `groups`."""
        self.messages[message.id] = message
        self.bytes += len(message.body)
        if message.expires_at:
            self.expiry.add(message)
        if self.oldest is not None:
            self.oldest.add(message)
        message.pending = 0
        for group in groups:
            message.pending |= group.bit
            group.backlog += 1
            group.offer(message, now)

    def remove(self, message: Message) -> None:
        """Take a message out of the store; every group is done with it."""
        del self.messages[message.id]
        self.bytes -= len(message.body)
        if message.expires_at:
            self.expiry.trim(len(self.messages))
        if self.oldest is not None:
            self.spared.discard(message.id)
            self.oldest.trim(len(self.messages))

    def forget(self, message: Message) -> bool:
        """Remove a message from every group and the store. Returns whether another became ready by it."""
        pending, message.pending = message.pending, 0
        freed = False
        for group in self.groups.values():
            if pending & group.bit:
                freed = group.drop(message) or freed
        self.remove(message)
        return freed

    def done(self, group: Group, message: Message) -> bool:
        """The group is done with a message, in whatever state it has it. Returns whether another became ready."""
        message.pending &= ~group.bit
        freed = group.drop(message)
        if message.pending:
            self.unleased(message)
        else:
            self.remove(message)
        return freed

    # Groups

    def add_group(
        self,
        name: str,
        now: int,
        lease_ended: Callable[[Group, list[Delivery], int], None],
        delay_ended: Callable[[Group, list[Entry], int], None],
    ) -> Group:
        """Create a group; in a queue that is not a topic it starts with every stored message that has not expired."""
        if len(self.groups) >= GROUPS_MAX:
            raise too_many_groups(self.address[1])
        bit = ~self.mask & (self.mask + 1)
        group = self.groups[name] = Group(self.address, name, bit, lease_ended, delay_ended)
        self.adopt_groups()
        if not self.rules.topic:
            for message in self.by_id():
                if not message.expired(now):
                    message.pending |= bit
                    group.backlog += 1
                    group.offer(message, now)
        return group

    def adopt_groups(self) -> None:
        """`groups` changed: derive what the hot path has of them."""
        self.readers = tuple(self.groups.values())
        self.mask = sum(group.bit for group in self.readers)

    def drop_group(self, group: Group, now: int) -> None:
        """Delete a group; messages that only it waited for go, unless it is the last group of a queue."""
        del self.groups[group.name]
        self.adopt_groups()
        keep = not self.groups and not self.rules.topic
        for message in list(self.messages.values()):
            if message.pending & group.bit:
                message.pending &= ~group.bit
                self.unleased(message)
                if message.pending:
                    continue
                if not keep:
                    self.remove(message)
                elif message.expired(now):  # its lease held the expiry up
                    self.expiry.add(message)

    # Looking

    def peeked(self, group: Group | None, message: Message, now: int) -> Peeked | None:
        """How a message stands in a group; in a group that does not exist yet as it would begin. None: it is done."""
        if group is None:
            late = message.deliver_at > now
            return Peeked(message, "delayed" if late else "ready", 0, message.deliver_at if late else 0)
        if not message.pending & group.bit:
            return None
        lease, entry = group.standing(message)
        error = group.errors.get(message.id, "")
        if lease is not None:
            return Peeked(message, "leased", lease.attempt, lease.lease_until, lease.consumer, error)
        if entry is None:
            return Peeked(message, "ready", 0, 0)
        state: State = "delayed" if entry.delayed else "ready"
        return Peeked(message, state, entry.attempts, entry.deliver_at if entry.delayed else 0, "", error)

    def counts(self, now: int) -> GroupStats:
        """Messages by state over all groups; of the messages themselves while there is no group."""
        if not self.groups:
            delayed = sum(1 for message in self.messages.values() if message.deliver_at > now)
            return GroupStats(len(self.messages) - delayed, delayed, 0)
        total = GroupStats()
        for group in self.groups.values():
            total.ready += group.ready_count
            total.delayed += group.delayed_count
            total.leased += len(group.leased)
        return total

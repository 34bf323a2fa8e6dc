"""Looking into queues without changing them."""

from copy import copy
from itertools import islice

from ..model import Address, GroupStats, Message, Peeked, QueueStats, State
from .registry import Registry


class Views(Registry):
    """The engine's reading verbs."""

    def stats(self, address: Address, now: int) -> QueueStats:
        """See Store."""
        now = self._begin(now)
        queue = self._queue(address)
        dead = self._queues.get((address[0], queue.rules.dead_letter))
        counts = queue.counts(now)
        first = next(iter(queue.by_id()), None)
        return QueueStats(
            name=address[1],
            settings=queue.settings,
            stored=len(queue.messages),
            bytes=queue.bytes,
            ready=counts.ready,
            delayed=counts.delayed,
            leased=counts.leased,
            dead=len(dead.messages) if dead is not None else 0,
            oldest=first.enqueued_at if first is not None else 0,
            groups={
                name: GroupStats(group.ready_count, group.delayed_count, len(group.leased))
                for name, group in sorted(queue.groups.items())
            },
            totals=copy(queue.totals),
        )

    def takes_all(self, address: Address) -> bool:
        """Whether there is such a queue, and a plain message is sure to be accepted there and stored as it is."""
        queue = self._queues.get(address)
        return queue is not None and not queue.guarded

    def group_count(self, address: Address) -> int:
        """How many groups the queue has; 0 when there is none."""
        queue = self._queues.get(address)
        return 0 if queue is None else len(queue.groups)

    def stored(self, address: Address) -> int:
        """How many messages the queue stores; 0 when there is none."""
        queue = self._queues.get(address)
        return 0 if queue is None else len(queue.messages)

    def has_group(self, address: Address, group: str) -> bool:
        """Whether there are such a queue and such a group of it."""
        queue = self._queues.get(address)
        return queue is not None and group in queue.groups

    def peek(self, address: Address, group: str, limit: int, now: int) -> list[Peeked]:
        """See Store."""
        now = self._begin(now)
        queue = self._queue(address)
        existing = queue.groups.get(group)
        if existing is None:
            return self._peek_newcomer(address, limit, now)
        looks = (queue.peeked(existing, message, now) for message in islice(existing.upcoming(), limit))
        return [look for look in looks if look is not None]

    def _peek_newcomer(self, address: Address, limit: int, now: int) -> list[Peeked]:
        """What a group that does not exist yet would get."""
        queue = self._queue(address)
        if queue.rules.topic:
            return []
        due = sorted(
            (m for m in queue.messages.values() if m.deliver_at <= now), key=lambda m: (m.priority, m.deliver_at, m.id)
        )
        keys: set[str] = set()
        found: list[Peeked] = []
        for message in due:
            if message.ordering_key is not None:
                if message.ordering_key in keys:
                    continue
                keys.add(message.ordering_key)
            found.append(Peeked(message, "ready", 0, 0))
            if len(found) == limit:
                break
        return found

    def browse(
        self,
        address: Address,
        group: str,
        limit: int,
        now: int,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]:
        """See Store."""
        now = self._begin(now)
        queue = self._queue(address)
        existing = queue.groups.get(group)
        if existing is None and queue.rules.topic:
            return []
        messages = list(queue.by_id())
        if descending:
            messages.reverse()
        found: list[Peeked] = []
        for message in messages:
            if after and (message.id >= after if descending else message.id <= after):
                continue
            look = queue.peeked(existing, message, now)
            if look is not None and state in (None, look.state):
                found.append(look)
                if len(found) == limit:
                    break
        return found

    def message(self, address: Address, message_id: int, now: int) -> Message:
        """See Store."""
        self._begin(now)
        return self._queue(address).find(message_id)

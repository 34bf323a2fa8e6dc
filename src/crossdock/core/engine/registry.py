"""The engine's queues by address, its counters, and its timer."""

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial

from ..errors import QueueNotFound
from ..limits import QUEUES_MAX
from ..model import Address, Delivery, Message, Settings
from ..policy import DEFAULTS, Rules, check_cycle, check_same_kind, too_many_queues
from .group import Entry, Group
from .queue import Queue
from .timeline import NEVER, Rank, Timed

_ALARMS_MIN = 64


class Registry(ABC):
    """What every part of the engine stands on. Parts that run when something falls due fill in the last methods."""

    def __init__(self, defaults: Settings = DEFAULTS, generation: int = 1) -> None:
        self._defaults = defaults
        self.generation = generation
        self._queues: dict[Address, Queue] = {}
        # Public for who keeps a log of commands; to be changed by the engine alone.
        self.now = 0
        """The latest time seen."""
        self.last_id = 0
        self.epoch = 0
        self._alarms: list[tuple[int, Rank, int]] = []
        """When to look at which timer; those of a timer that is no longer set count for nothing."""
        self._timers: dict[int, Timed] = {}
        self._timer_serial = 0
        self.due = NEVER
        """When the first timer falls due, NEVER when none is set. A verb at that time or later does that first."""
        self._ready: set[Address] = set()
        """Where something became ready since the last tick, by anything but a send."""

    def census(self) -> tuple[int, int, int]:
        """How many messages the groups are not done with, summed (a message without groups counts once); their bytes;
        and the length of the longest namespace, queue and group name together.
        """
        waiting = size = names = 0
        for (namespace, name), queue in self._queues.items():
            waiting += sum(group.backlog for group in queue.readers) if queue.readers else len(queue.messages)
            size += queue.bytes
            names = max(names, len(namespace) + len(name) + max(map(len, queue.groups), default=0))
        return waiting, size, names

    def set_defaults(self, defaults: Settings) -> None:
        """Have other settings hold for queues without settings of their own."""
        self._defaults = defaults
        for (_, name), queue in self._queues.items():
            queue.follow(queue.settings, Rules(name, queue.settings, defaults))

    # Time

    def _begin(self, now: int) -> int:
        """Do what is due; returns the time of the verb, which never falls."""
        if now < self.now:
            now = self.now
        else:
            self.now = now
        if now >= self.due:
            self._run(now)
        return now

    def run_due(self, now: int) -> None:
        """Do what is due, as every verb does first."""
        self._begin(now)

    def _run(self, now: int) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            due, _, timer = heapq.heappop(self._alarms)
            timed = self._timers.pop(timer, None)
            if timed is not None:
                timed.scheduled = NEVER
                if timed.next_due() <= due:  # else what the alarm was for has gone
                    timed.fire(now)
                self._schedule(timed)
        self.due = self._alarms[0][0] if self._alarms else NEVER

    def _schedule(self, timed: Timed) -> None:
        """Make sure that the timer looks at a timeline in time."""
        due = timed.next_due()
        if due < timed.scheduled:
            self._unschedule(timed)
            self._timer_serial += 1
            timed.scheduled, timed.timer = due, self._timer_serial
            self._timers[timed.timer] = timed
            heapq.heappush(self._alarms, (due, timed.rank, timed.timer))
            if len(self._alarms) > 2 * len(self._timers) + _ALARMS_MIN:
                self._alarms = [alarm for alarm in self._alarms if alarm[2] in self._timers]
                heapq.heapify(self._alarms)
            self.due = self._alarms[0][0]

    def _unschedule(self, timed: Timed) -> None:
        """Have the timer look at a timeline no more."""
        timed.scheduled = NEVER
        self._timers.pop(timed.timer, None)

    # Queues

    def _queue(self, address: Address) -> Queue:
        queue = self._queues.get(address)
        if queue is None:
            raise QueueNotFound(address[1])
        return queue

    def _check_cycle(self, address: Address, settings: Settings) -> None:
        namespace, name = address

        def settings_of(other: str) -> Settings | None:
            queue = self._queues.get((namespace, other))
            return None if queue is None else queue.settings

        check_cycle(name, settings, settings_of)

    def create_queue(self, address: Address, settings: Settings, now: int) -> bool:
        """See Store."""
        self._begin(now)
        existing = self._queues.get(address)
        if existing is not None:
            check_same_kind(existing.settings, settings)
            return False
        self._check_cycle(address, settings)
        self._add_queue(address, settings)
        return True

    def _add_queue(self, address: Address, settings: Settings) -> Queue:
        if len(self._queues) >= QUEUES_MAX:
            raise too_many_queues()
        rules = Rules(address[1], settings, self._defaults)
        queue = self._queues[address] = Queue(address, settings, rules, self._expired)
        return queue

    def update_queue(self, address: Address, settings: Settings, now: int) -> None:
        """See Store."""
        self._begin(now)
        queue = self._queue(address)
        check_same_kind(queue.settings, settings)
        self._check_cycle(address, settings)
        if queue.rules.paused and not settings.paused:
            self._ready.add(address)
        queue.follow(settings, Rules(address[1], settings, self._defaults))

    def delete_queue(self, address: Address, now: int) -> None:
        """See Store."""
        self._begin(now)
        queue = self._queue(address)
        del self._queues[address]
        for timed in self._timelines(queue):
            self._unschedule(timed)

    @staticmethod
    def _timelines(queue: Queue) -> Iterator[Timed]:
        yield from (queue.expiry, queue.dedup_ends)
        for group in queue.groups.values():
            yield from (group.leases, group.delayed)

    def queues(self, namespace: str | None) -> list[Address]:
        """See Store."""
        return sorted(address for address in self._queues if namespace is None or address[0] == namespace)

    # Groups

    def _group(self, queue: Queue, name: str, now: int) -> Group:
        """The group of that name, made on first use."""
        group = queue.groups.get(name)
        if group is None:
            group = queue.add_group(name, now, partial(self._lease_ended, queue), partial(self._delay_ended, queue))
            self._schedule(group.delayed)
        return group

    def create_group(self, address: Address, group: str, now: int) -> bool:
        """See Store."""
        now = self._begin(now)
        queue = self._queue(address)
        if group in queue.groups:
            return False
        self._group(queue, group, now)
        return True

    def delete_group(self, address: Address, group: str, now: int) -> bool:
        """See Store."""
        now = self._begin(now)
        queue = self._queue(address)
        existing = queue.groups.get(group)
        if existing is None:
            return False
        self._unschedule(existing.leases)
        self._unschedule(existing.delayed)
        queue.drop_group(existing, now)
        self._schedule(queue.expiry)
        return True

    # What falls due

    @abstractmethod
    def _expired(self, queue: Queue, messages: list[Message], now: int) -> None: ...

    @abstractmethod
    def _lease_ended(self, queue: Queue, group: Group, leases: list[Delivery], now: int) -> None: ...

    @abstractmethod
    def _delay_ended(self, queue: Queue, group: Group, entries: list[Entry], now: int) -> None: ...

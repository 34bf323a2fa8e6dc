"""A witness of what a store is seen to do: rules that hold for any history, whatever a model says.

It sees only what a caller could: deliveries, and the messages of each group as `browse` shows them.
"""

from collections.abc import Iterable
from copy import copy
from typing import get_args

from crossdock.core.lifecycle import START, TRANSITIONS, Event, Phase
from crossdock.core.model import ORIGIN_QUEUE, Address, Delivery, Message, Peeked, QueueStats

Standing = tuple[Address, str]
"""A group of a queue."""

_BY_TIME: tuple[Event, ...] = ("due", "lease_end", "used_up", "refused", "expire", "expire_dead")


def _follow(phases: set[Phase], events: Iterable[Event]) -> set[Phase]:
    """The phases that one of `events`, or none, leads to."""
    taken = list(events)
    return phases | {TRANSITIONS[phase, event] for phase in phases for event in taken if (phase, event) in TRANSITIONS}


def _within_a_step(phase: Phase) -> set[Phase]:
    """Where a message may be found after time passed and one verb was called."""
    waited = _follow(_follow({phase}, _BY_TIME), _BY_TIME)
    return _follow(waited, {event for _, event in TRANSITIONS})


LEGAL: dict[Phase, set[Phase]] = {phase: _within_a_step(phase) for phase in get_args(Phase)}


class Witness:
    """Remembers what it saw and raises AssertionError at what must not be."""

    def __init__(self) -> None:
        self._phases: dict[Standing, dict[int, Phase]] = {}
        self._attempts: dict[tuple[Standing, int], int] = {}
        self._leases: dict[tuple[Standing, int], Delivery] = {}
        self._due: dict[tuple[Standing, int], int] = {}
        self._last_epoch = 0

    def handed_out(self, standing: Standing, deliveries: list[Delivery], now: int, auto_ack: bool) -> None:
        """A receive answered."""
        for delivery in deliveries:
            where = (standing, delivery.id)
            self._note_letter(standing, delivery.message)
            assert delivery.epoch >= self._last_epoch, "epochs fall"
            self._last_epoch = delivery.epoch
            assert delivery.message.deliver_at <= now, f"{delivery} came before it was due"
            assert self._due.get(where, 0) <= now, f"{delivery} came before its retry was due"
            assert not delivery.message.expires_at or delivery.message.expires_at > now, f"{delivery} had expired"
            assert delivery.attempt > self._attempts.get(where, 0), f"{delivery}: attempts did not rise"
            self._attempts[where] = delivery.attempt
            for (other, _), lease in self._leases.items():
                if other == standing and lease.lease_until > now:
                    assert lease.id != delivery.id, f"{delivery}: two live leases"
                    key = delivery.message.ordering_key
                    assert key is None or key != lease.message.ordering_key, f"{delivery}: two leases of one key"
            before = self._phases.setdefault(standing, {}).get(delivery.id, "ready")
            assert "leased" in LEGAL[before], f"{delivery} was handed out while {before}"
            self._phases[standing][delivery.id] = "done" if auto_ack else "leased"
            if not auto_ack:
                self._leases[where] = copy(delivery)

    def let_go(self, standing: Standing, message_id: int) -> None:
        """A delivery was settled or given back."""
        self._leases.pop((standing, message_id), None)

    def forget(self, address: Address | None = None, group: str | None = None) -> None:
        """A group or queue was deleted, or (both None) messages were redriven: what was known holds no longer."""

        def gone(standing: Standing) -> bool:
            return address is None or (standing[0] == address and group in (None, standing[1]))

        self._phases = {standing: seen for standing, seen in self._phases.items() if not gone(standing)}
        self._attempts = {where: count for where, count in self._attempts.items() if not gone(where[0])}
        self._due = {where: due for where, due in self._due.items() if not gone(where[0])}
        if address is not None:
            self._leases = {where: lease for where, lease in self._leases.items() if not gone(where[0])}

    def _note_letter(self, standing: Standing, message: Message) -> None:
        """Another group's dead letter may have the id of one that this group was done with."""
        phases = self._phases.get(standing, {})
        if phases.get(message.id) == "done" and ORIGIN_QUEUE in (message.headers or {}):
            del phases[message.id]
            self._attempts.pop((standing, message.id), None)
            self._due.pop((standing, message.id), None)

    def looked(self, standing: Standing, found: list[Peeked], now: int) -> None:
        """A browse of every message of the group answered."""
        ids = [seen.message.id for seen in found]
        assert ids == sorted(set(ids)), f"{standing}: a message is in two states, or out of order: {ids}"
        before = self._phases.get(standing)
        for seen in found:
            self._note_letter(standing, seen.message)
        phases: dict[int, Phase] = {} if before is None else dict.fromkeys(before, "done")
        for seen in found:
            phases[seen.message.id] = seen.state
        for message_id, phase in phases.items():
            if before is not None and message_id in before:
                legal = LEGAL[before[message_id]]
                assert phase in legal, f"{standing}: {message_id} went from {before[message_id]} to {phase}"
            else:
                assert before is None or phase in START, f"{standing}: {message_id} began as {phase}"
        self._phases[standing] = phases
        leased = {seen.message.id for seen in found if seen.state == "leased"}
        for where in [where for where in self._leases if where[0] == standing and where[1] not in leased]:
            del self._leases[where]
        for seen in found:
            self._look_at(standing, seen, now)

    def _look_at(self, standing: Standing, seen: Peeked, now: int) -> None:
        where = (standing, seen.message.id)
        assert seen.attempts >= self._attempts.get(where, 0), f"{where}: attempts fell to {seen.attempts}"
        self._attempts[where] = seen.attempts
        if seen.state == "ready":
            assert seen.due == 0
            self._due.pop(where, None)
        else:
            assert seen.due > now, f"{where}: {seen.state} since {seen.due}"
            self._due[where] = seen.due
        if where in self._leases:
            self._leases[where].lease_until = seen.due


def check_counts(stats: QueueStats, by_group: dict[str, list[Peeked]]) -> None:
    """What the stats say is what is there."""
    for group, found in by_group.items():
        counted = stats.groups[group]
        states = [seen.state for seen in found]
        assert (counted.ready, counted.delayed, counted.leased) == tuple(
            states.count(state) for state in ("ready", "delayed", "leased")
        ), f"{stats.name}: group {group!r} counts {counted} but shows {states}"
    if by_group:
        stored = {seen.message.id: len(seen.message.body) for found in by_group.values() for seen in found}
        assert (stats.stored, stats.bytes) == (len(stored), sum(stored.values())), stats


def check_conservation(stats: Iterable[QueueStats]) -> None:
    """Every message accepted is stored or accounted for. Holds where no queue is a topic or had a second group.

    `stats` includes the last ones of deleted queues: what they stored went with them. Dead letters and redrives move
    messages and neither make nor lose any.
    """
    every = list(stats)
    accepted = sum(each.totals.sent for each in every)
    gone = sum(t.acked + t.expired + t.dropped + t.purged for t in (each.totals for each in every))
    stored = sum(each.stored for each in every)
    assert accepted == gone + stored, f"{accepted} accepted, {gone} accounted for, {stored} stored"

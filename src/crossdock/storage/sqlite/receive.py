"""Receive: hand out and lease, or hand out and be done."""

from crossdock.core.model import Address, Delivery

from .catalog import Group
from .entries import REMOVE_ENTRY, Settled, finish
from .groups import group_for
from .ordering import hold
from .ready import Candidate, candidates
from .session import Session

_LEASE_ENTRY = """UPDATE entries SET attempts = attempts + 1, epoch = ?, lease_until = ?, consumer = ?, delayed = 0
WHERE group_id = ? AND id = ?"""
_LEASE_FROM_LANE = """INSERT INTO entries
(epoch, lease_until, consumer, group_id, id, key, size, priority, deliver_at, expires_at, attempts)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, 0, 1)"""
_WIDTH_MAX = 1_000
"""Most messages looked at in one step while ordering keys are held."""


def receive(
    s: Session, address: Address, group: str, limit: int, lease: int, consumer: str, auto_ack: bool, default_lease: int
) -> list[Delivery]:
    """See Store."""
    queue = s.queue(address)
    reader = group_for(s, queue, group)
    if queue.rules.paused:
        return []
    taken = _take(s, reader, limit)
    if not taken:
        return []
    lease_until = s.now + (lease or queue.rules.lease or default_lease)
    epoch = s.take_epoch()
    deliveries = [
        Delivery(each.id, epoch, s.generation, each.message, each.attempts + 1, lease_until, consumer) for each in taken
    ]
    queue.totals.delivered += len(taken)
    if auto_ack:
        _settle(s, reader, taken)
    else:
        _lease(s, reader, taken, deliveries)
    return deliveries


def _take(s: Session, group: Group, limit: int) -> list[Candidate]:
    """The messages to hand out, with their ordering keys held. Those that find their key held are parked."""
    taken: dict[int, Candidate] = {}
    width = limit
    while True:
        parked = False
        for each in candidates(s, group, width):
            key = each.message.ordering_key
            if each.id in taken:
                continue
            if key is None or hold(s, group, key, each.id):
                taken[each.id] = each
                if len(taken) == limit:
                    return list(taken.values())
            else:
                parked = True
        if not parked:
            return list(taken.values())
        width = min(width * 4, _WIDTH_MAX)


def _lease(s: Session, group: Group, taken: list[Candidate], deliveries: list[Delivery]) -> None:
    lane, entries = [], []
    for each, delivery in zip(taken, deliveries, strict=True):
        lease = (delivery.epoch, delivery.lease_until, delivery.consumer, group.id, each.id)
        if each.has_entry:
            entries.append(lease)
        else:
            lane.append((*lease, each.key, each.size, each.deliver_at))
    if entries:
        s.many(_LEASE_ENTRY, entries)
        group.waiting -= len(entries)
    if lane:
        s.many(_LEASE_FROM_LANE, lane)
        _pass(group, taken, len(lane))
    group.leased += len(taken)
    s.changed(group.queue, group)
    s.due_at(deliveries[0].lease_until)


def _settle(s: Session, group: Group, taken: list[Candidate]) -> None:
    """The group is done with messages as they are handed out (F8)."""
    entries = [(group.id, each.id) for each in taken if each.has_entry]
    if entries:
        s.many(REMOVE_ENTRY, entries)
        group.waiting -= len(entries)
    if len(entries) < len(taken):
        _pass(group, taken, len(taken) - len(entries))
    group.queue.totals.acked += len(taken)
    finish(s, group, [Settled(each.id, each.key, each.size, each.message.ordering_key) for each in taken])


def _pass(group: Group, taken: list[Candidate], count: int) -> None:
    """The group came past `count` messages of the lane."""
    group.cursor = max(each.id for each in taken if not each.has_entry)
    group.passed += count

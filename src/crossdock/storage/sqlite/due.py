"""What falls due: ended leases, expired messages, forgotten dedup ids; and the tick that reports it."""

from crossdock.core.model import Tick

from .catalog import NAMELESS, Group
from .endings import come_back, expire
from .entries import find_entry
from .session import NEVER, Session

_BATCH = 1_000
"""Most entries, and most dedup ids, dealt with in one transaction."""

# Ended leases, and expired messages that are not leased, in the order in which they fell due.
_DUE = """SELECT lease_until AS due, id, group_id FROM entries WHERE lease_until > 0 AND lease_until <= ?1
UNION ALL
SELECT expires_at, id, group_id FROM entries WHERE expires_at > 0 AND lease_until = 0 AND expires_at <= ?1
ORDER BY due, id, group_id LIMIT ?2"""
_FORGET_DEDUP = """DELETE FROM dedup WHERE (queue_id, dedup_id) IN (
    SELECT queue_id, dedup_id FROM dedup WHERE until <= ? LIMIT ?)"""
# Delays are a matter of comparing times: nothing is written when one ends. One that expired before does not count.
_ENDED_DELAYS = """SELECT DISTINCT group_id FROM entries
WHERE delayed = 1 AND deliver_at > ? AND deliver_at <= ? AND (expires_at = 0 OR expires_at > deliver_at)"""


def work(s: Session) -> bool:
    """Do some of what is due; True when that may not have been all of it."""
    _note_delays(s)
    due = s.all(_DUE, s.now, _BATCH)
    for _, message_id, group_id in due:
        _end(s, s.group(group_id), message_id)
    s.run(_FORGET_DEDUP, s.now, _BATCH)
    forgotten = s.connection.changes()
    s.find_due()
    return _BATCH in (len(due), forgotten)


def _note_delays(s: Session) -> None:
    """Note where a delay has ended."""
    for (group_id,) in s.all(_ENDED_DELAYS, s.delays_seen, s.now):
        group = s.group(group_id)
        if group.name != NAMELESS:
            s.ready.add(group.queue.address)
    s.delays_seen = s.now


def _end(s: Session, group: Group, message_id: int) -> None:
    """Deal with one entry that is due, unless what came before has dropped or postponed it."""
    entry = find_entry(s, group, message_id)
    if entry is None:
        return
    if entry.lease_until:
        group.queue.totals.returned += 1
        s.changed(group.queue, group)
        come_back(s, group, entry, entry.lease_until)
    elif entry.expires_at <= s.now:
        expire(s, group, entry)


def tick(s: Session) -> Tick:
    """See Store."""
    s.find_due()
    ready = sorted(s.ready)
    s.ready.clear()
    return Tick(ready, 0 if s.due == NEVER else s.due)

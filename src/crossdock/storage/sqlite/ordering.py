"""Ordering keys: in each group one message of a key at a time. The others are parked when a hand-out meets them."""

from .catalog import Group
from .session import Session

_FIND = "SELECT holder, next FROM held_keys WHERE group_id = ? AND ordering_key = ?"
_HOLD = "INSERT OR REPLACE INTO held_keys (group_id, ordering_key, holder) VALUES (?, ?, ?)"
_OFFER = "UPDATE held_keys SET holder = 0, next = ? WHERE group_id = ? AND ordering_key = ?"
_FORGET = "DELETE FROM held_keys WHERE group_id = ? AND ordering_key = ?"
_FORGET_ALL = "DELETE FROM held_keys WHERE group_id = ?"
_PARK = "UPDATE entries SET parked = 1, delayed = 0 WHERE group_id = ? AND id = ?"
_UNPARK = "UPDATE entries SET parked = 0 WHERE group_id = ? AND id = ?"
_FIRST_PARKED = """SELECT id FROM entries WHERE group_id = ? AND ordering_key = ? AND parked = 1
ORDER BY priority, deliver_at, id LIMIT 1"""


def hold(s: Session, group: Group, ordering_key: str, message_id: int) -> bool:
    """Take an ordering key for a message. False: another message has it, and this one is parked until it lets go."""
    holder = holder_of(s, group, ordering_key)
    if holder not in (0, message_id):
        s.run(_PARK, group.id, message_id)
        return False
    if not holder:
        s.run(_HOLD, group.id, ordering_key, message_id)
    return True


def holder_of(s: Session, group: Group, ordering_key: str) -> int:
    """Id of the message that holds an ordering key, 0 when it is free."""
    holder, _ = s.one(_FIND, group.id, ordering_key) or (0, 0)
    return int(holder)


def let_go(s: Session, group: Group, ordering_key: str, message_id: int) -> None:
    """A message is done with or gone: if it held its key, or was to hold it next, the first parked one may come."""
    holder, following = s.one(_FIND, group.id, ordering_key) or (0, 0)
    if message_id != (holder or following):
        return
    first = s.one(_FIRST_PARKED, group.id, ordering_key)
    if first is None:
        s.run(_FORGET, group.id, ordering_key)
        return
    s.run(_OFFER, first[0], group.id, ordering_key)
    s.run(_UNPARK, group.id, first[0])
    s.ready.add(group.queue.address)


def let_all_go(s: Session, group: Group) -> None:
    """Nothing of a group is held any more: its entries are gone, or begin anew."""
    s.run(_FORGET_ALL, group.id)

"""Redrive: dead letters go home to the queue and group each came from."""

from collections.abc import Iterable, Sequence

from crossdock.core.errors import QueueFull
from crossdock.core.model import Address, Message
from crossdock.core.policy import accept, origin_of, strip_dead_letter_headers

from . import keys
from .catalog import Group, Queue
from .endings import arrive
from .entries import add_entries, find_entry, is_leased, waits_in_lane
from .messages import ADD_MESSAGE, by_id, find_message, read_message, row_of
from .removal import remove_everywhere
from .room import make_room
from .send import entry_of
from .session import Session


def redrive(s: Session, address: Address, ids: Sequence[int] | None) -> int:
    """See Store."""
    queue = s.queue(address)
    chosen: Iterable[int] = (keys.message_id(key) for key, _ in by_id(s, queue)) if ids is None else sorted(set(ids))
    moved = 0
    for letter_id in chosen:
        letter = read_message(s, queue, letter_id)
        if letter is None or is_leased(s, queue, letter_id):
            continue
        if _send_home(s, queue, letter):
            moved += remove_everywhere(s, queue, [letter_id])
    queue.totals.redriven += moved
    s.changed(queue)
    return moved


def _send_home(s: Session, queue: Queue, letter: Message) -> bool:
    """Give a dead letter back to its origin. False: it has none, or the origin cannot take it."""
    home = origin_of(letter)
    origin = s.find_queue((queue.address[0], home.queue)) if home is not None else None
    if home is None or origin is None or origin is queue or home.id > s.last_id:
        return False
    group = origin.reader(home.group)
    groups = list(origin.groups.values()) if group is None else [group]
    message = Message(
        letter.body,
        strip_dead_letter_headers(letter.headers),
        letter.priority,
        ordering_key=letter.ordering_key,
        id=home.id,
    )
    stored = read_message(s, origin, message.id)
    if stored is not None and stored.expired(s.now):
        return False
    if stored is not None:
        _rejoin(s, origin, stored, groups)
        return True
    if not groups:
        return False
    try:
        make_room(s, origin, 1, len(letter.body))
    except QueueFull:
        return False
    accept(message, origin.rules, s.now)
    message.enqueued_at = letter.enqueued_at
    key = origin.base + keys.APART + message.id
    s.run(ADD_MESSAGE, *row_of(message, key))
    arrive(s, origin, entry_of(message, key), groups)
    s.ready.add(origin.address)
    return True


def _rejoin(s: Session, queue: Queue, stored: Message, groups: list[Group]) -> None:
    """Offer a message that other groups still hold to groups that were done with it."""
    key, _ = find_message(s, queue, stored.id) or (0, 0)
    again = entry_of(stored, key)._replace(deliver_at=s.now)
    for group in groups:
        if not waits_in_lane(group, stored.id, key) and find_entry(s, group, stored.id) is None:
            add_entries(s, group, [again])
            s.ready.add(queue.address)

"""Room in a queue: its bounds, and dropping the oldest messages where the queue says so."""

from collections.abc import Iterator

from . import keys
from .catalog import Queue
from .entries import is_leased
from .messages import by_id
from .removal import remove_everywhere
from .session import Session


def make_room(s: Session, queue: Queue, count: int, size: int) -> None:
    """Make sure that `count` messages of `size` bytes together fit. Raises QueueFull, and then nothing was dropped."""
    rules = queue.rules
    over, over_bytes = rules.excess(queue.stored + count, queue.bytes + size)
    if not count or (over <= 0 and over_bytes <= 0):
        return
    if not rules.drop_oldest or over > queue.stored or over_bytes > queue.bytes:
        raise rules.full(queue.address[1])
    dropped: list[int] = []
    for message_id, bytes_freed in _droppable(s, queue):
        dropped.append(message_id)
        over -= 1
        over_bytes -= bytes_freed
        if over <= 0 and over_bytes <= 0:
            queue.totals.dropped += remove_everywhere(s, queue, dropped)
            return
    raise rules.full(queue.address[1])


def _droppable(s: Session, queue: Queue) -> Iterator[tuple[int, int]]:
    """Id and size of the messages that no group has leased, oldest first. Leased ones at the front are met once."""
    only_leased = True
    for key, size in by_id(s, queue, first=queue.floor):
        message_id = keys.message_id(key)
        if not is_leased(s, queue, message_id):
            only_leased = False
            yield message_id, size
        elif only_leased:
            queue.floor = message_id + 1
            s.changed(queue)

"""The key of a stored message: its queue, its class and its id in one number.

    bits 46-62  number of the queue
    bit  45     class: 0 in the lane, 1 apart
    bits 0-44   id

One table then keeps each queue's lane, and each queue's other messages, as a range in order of id; a send to the lane
appends. The same id may stand in a queue and in its dead-letter queue.
"""

QUEUES_MAX = 2**17 - 1
"""Highest number of a queue. Numbers of deleted queues are used again."""
ID_MAX = 2**45 - 1
"""Ids last for eleven years at 100,000 messages a second."""
APART = 2**45

STORE_COUNTERS = 0
"""Number of the store's counters."""


def counters_of(queue_id: int, group_id: int = 0) -> int:
    """Number of the counters of a queue, or of a group of it: they stand together."""
    return (queue_id << 40) + group_id


def queue_base(queue_id: int) -> int:
    """What the keys of a queue begin with: that of lane message `id` is base + id, of one apart base + APART + id."""
    return queue_id << 46


def message_id(key: int) -> int:
    return key & ID_MAX


def in_lane(key: int) -> bool:
    return not key & APART

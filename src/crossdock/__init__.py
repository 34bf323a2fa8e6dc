"""One message queue that any program can reach the way it already speaks.

>>> import crossdock
>>> with crossdock.connect("memory://") as mq:
...     orders = mq.queue("orders")
...     message_id = orders.send({"order": 42})
...     for message in orders.receive():
...         print(message.json())
...         message.ack()
{'order': 42}
"""

from crossdock import aio
from crossdock.client.blocking import Connection, Delivery, Queue, Subscription, Topic, connect
from crossdock.client.bodies import Message
from crossdock.client.received import Received
from crossdock.client.worker import Worker
from crossdock.client.worker_handler import Reject
from crossdock.core.errors import (
    AccessDenied,
    CrossdockError,
    DedupConflict,
    InvalidArgument,
    LeaseLost,
    MessageExpired,
    MessageNotFound,
    QueueClosed,
    QueueFull,
    QueueNotFound,
    RateLimited,
    StoreFailed,
    StoreUnavailable,
)

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "Connection",
    "CrossdockError",
    "DedupConflict",
    "Delivery",
    "InvalidArgument",
    "LeaseLost",
    "Message",
    "MessageExpired",
    "MessageNotFound",
    "Queue",
    "QueueClosed",
    "QueueFull",
    "QueueNotFound",
    "RateLimited",
    "Received",
    "Reject",
    "StoreFailed",
    "StoreUnavailable",
    "Subscription",
    "Topic",
    "Worker",
    "aio",
    "connect",
]

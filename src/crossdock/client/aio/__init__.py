"""The asyncio flavour: `async with crossdock.aio.connect(url) as mq`."""

from .connection import Connection, connect
from .delivery import Delivery
from .queue import Queue
from .subscription import Subscription
from .topic import Topic

__all__ = ["Connection", "Delivery", "Queue", "Subscription", "Topic", "connect"]

"""The blocking flavour: `with crossdock.connect(url) as mq`. Safe to use from any number of threads."""

from .connection import Connection, connect
from .delivery import Delivery
from .queue import Queue
from .subscription import Subscription
from .topic import Topic

__all__ = ["Connection", "Delivery", "Queue", "Subscription", "Topic", "connect"]

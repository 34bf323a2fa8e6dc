"""The asyncio flavour of crossdock."""

from crossdock.client.aio import Connection, Delivery, Queue, Subscription, Topic, connect

__all__ = ["Connection", "Delivery", "Queue", "Subscription", "Topic", "connect"]

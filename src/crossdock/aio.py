"""The asyncio flavour of crossdock."""

from crossdock.client.aio import Connection, Delivery, Queue, connect

__all__ = ["Connection", "Delivery", "Queue", "connect"]

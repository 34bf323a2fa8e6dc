"""The WebSocket door: /ws/publish, /ws/consume, /ws/subscribe, and the JSON API over /ws/api."""

from .door import WsDoor
from .listener import WsListener

__all__ = ["WsDoor", "WsListener"]

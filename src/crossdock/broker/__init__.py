"""The application service behind every door."""

from .broker import Broker, Observer
from .runtime import AsyncRuntime, Runtime, ThreadRuntime, drive

__all__ = ["AsyncRuntime", "Broker", "Observer", "Runtime", "ThreadRuntime", "drive"]

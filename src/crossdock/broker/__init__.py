"""The application service behind every door."""

from .broker import Broker
from .observer import Observer
from .runtime import AsyncRuntime, Runtime, ThreadRuntime, drive

__all__ = ["AsyncRuntime", "Broker", "Observer", "Runtime", "ThreadRuntime", "drive"]

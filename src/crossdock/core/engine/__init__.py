"""The deterministic engine: see `engine.Engine`."""

from .engine import Engine

__all__ = ["Engine"]

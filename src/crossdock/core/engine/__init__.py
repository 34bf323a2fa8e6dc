"""The deterministic engine: see `engine.Engine`."""

from .engine import NO_FAILURES, Engine

__all__ = ["NO_FAILURES", "Engine"]

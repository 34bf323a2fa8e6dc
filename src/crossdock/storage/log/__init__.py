"""The log store: the engine in memory, a write-ahead log on disk. See `store.LogStore`."""

from .store import LogStore

__all__ = ["LogStore"]

"""The SQLite store; see `store`."""

from .store import SqliteStore

__all__ = ["SqliteStore"]

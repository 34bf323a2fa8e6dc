"""The store contract, run on every store of the package."""

from pathlib import Path

from crossdock.storage.base import Store
from crossdock.storage.log import LogStore
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from crossdock.testing.contract import DurabilityContract, StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self, folder: Path) -> Store:
        return MemoryStore()


class TestSqliteStore(StoreContract, DurabilityContract):
    def make_store(self, folder: Path) -> Store:
        return SqliteStore(folder / "queues.db")


class TestLogStore(StoreContract, DurabilityContract):
    def make_store(self, folder: Path) -> Store:
        return LogStore(folder / "log")

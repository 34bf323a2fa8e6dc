"""The stores on which each contract is kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crossdock.storage.base import Store
from crossdock.storage.log import LogStore
from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", "log"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    stores: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path / "queues.db"),
        "log": lambda: LogStore(tmp_path / "log"),
    }
    return stores[request.param]()

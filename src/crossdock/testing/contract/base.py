"""What every part of the contract stands on: a fresh store for each test, made by the class that subclasses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.storage.base import Store
from crossdock.testing.driver import Driver


class Contract:
    """Tests of any store. `make_store` is the one thing a subclass says."""

    def make_store(self, folder: Path) -> Store:
        """A store, not yet open, with the default settings of `core.policy`. What it keeps on disk is in `folder`."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Driver]:
        with Driver(self.make_store(tmp_path)) as driver:
            yield driver

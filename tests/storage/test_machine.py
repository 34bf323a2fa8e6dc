"""T1: every store agrees with the engine on whatever Hypothesis makes up."""

import pytest

from crossdock.storage.memory import MemoryStore
from crossdock.storage.sqlite import SqliteStore
from crossdock.testing.machine import StoreMachine, store_machine

MACHINES = [
    store_machine("memory", lambda folder: MemoryStore()),
    store_machine("sqlite", lambda folder: SqliteStore(folder / "queues.db"), reopens=True),
]


@pytest.mark.timeout(0)
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_store_agrees_with_the_engine(machine: type[StoreMachine]) -> None:
    tally = machine.campaign()
    print(tally)
    assert tally.sequences >= 300
    assert tally.steps >= 15_000

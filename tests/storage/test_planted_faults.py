"""Negative controls: each planted fault is caught by the test that is there to catch it, which passes without it.

The faults are planted in the SQLite store, where the state is rows and a verb a transaction.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from crossdock.core.model import Message
from crossdock.storage.sqlite import SqliteStore, answers, connection, endings, receive, send, transaction
from crossdock.storage.sqlite.catalog import Group, Queue
from crossdock.storage.sqlite.endings import arrive
from crossdock.storage.sqlite.entries import Entry, drop_entry
from crossdock.storage.sqlite.messages import ADD_MESSAGE, read_message, row_of
from crossdock.storage.sqlite.send import entry_of
from crossdock.storage.sqlite.session import Session
from crossdock.testing.contract import StoreContract
from crossdock.testing.driver import Driver, bodies
from crossdock.testing.machine import store_machine
from crossdock.testing.power_loss import PowerLossVfs

Fault = Callable[[pytest.MonkeyPatch], None]


# Faults that a running store shows: the contract suite and the state machine catch them.


def epoch_check_removed(patch: pytest.MonkeyPatch) -> None:
    for name, check in (("_ACK", "AND epoch = ?"), ("_LEASE", "AND e.epoch = ?")):
        sql = getattr(answers, name)
        assert check in sql
        patch.setattr(answers, name, sql.replace(check, "AND ? IS NOT NULL"))


def attempts_raised_by_the_nack(patch: pytest.MonkeyPatch) -> None:
    from_entry, from_lane = receive._LEASE_ENTRY, receive._LEASE_FROM_LANE
    assert "attempts = attempts + 1" in from_entry
    assert from_lane.endswith("0, 1)")
    patch.setattr(receive, "_LEASE_ENTRY", from_entry.replace("attempts = attempts + 1", "attempts = attempts"))
    patch.setattr(receive, "_LEASE_FROM_LANE", from_lane.removesuffix("1)") + "0)")
    come_back = answers.come_back

    def count_and_come_back(s: Session, group: Group, lease: Entry, deliver_at: int) -> None:
        s.run("UPDATE entries SET attempts = attempts + 1 WHERE group_id = ? AND id = ?", group.id, lease.id)
        come_back(s, group, lease._replace(attempts=lease.attempts + 1), deliver_at)

    patch.setattr(answers, "come_back", count_and_come_back)


SHOWN: list[tuple[Fault, Callable[[StoreContract, Driver], None]]] = [
    (epoch_check_removed, StoreContract.test_a_stale_receipt_changes_nothing_for_the_new_holder),
    (epoch_check_removed, StoreContract.test_a_group_created_again_shares_nothing_with_the_old_one),
    (attempts_raised_by_the_nack, StoreContract.test_the_hand_out_raises_the_attempt),
    (attempts_raised_by_the_nack, StoreContract.test_the_last_lease_that_ends_dead_letters),
]


@pytest.mark.parametrize(("fault", "test"), SHOWN, ids=lambda each: each.__name__)
def test_the_contract_catches(
    fault: Fault, test: Callable[[StoreContract, Driver], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Driver(SqliteStore(tmp_path / "right.db")) as store:
        test(StoreContract(), store)
    fault(monkeypatch)
    with Driver(SqliteStore(tmp_path / "wrong.db")) as store, pytest.raises(AssertionError):
        test(StoreContract(), store)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("fault", [epoch_check_removed, attempts_raised_by_the_nack])
def test_the_state_machine_catches(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    machine = store_machine("faulty", lambda folder: SqliteStore(folder / "queues.db"))
    profile = settings(
        max_examples=300,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=profile)


# Faults that only a crash shows: a child process dies at a named step, and what it left is looked at.


def dead_letter_in_two_transactions(patch: pytest.MonkeyPatch) -> None:
    def bury(s: Session, group: Group, entry: Entry, reason: str) -> None:
        message = read_message(s, group.queue, entry.id)
        assert message is not None
        drop_entry(s, group, entry)
        commit_here(s, "between-the-halves")
        target = s.queue((group.queue.address[0], group.queue.rules.dead_letter))
        key = target.base + endings.keys.APART + entry.id
        s.run(ADD_MESSAGE, *row_of(message, key))
        arrive(s, target, entry_of(message, key), list(target.groups.values()))

    patch.setattr(answers, "bury", bury)


def dedup_row_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    remember = send._remember

    def remember_later(s: Session, queue: Queue, firsts: dict[str, tuple[bytes, Message | int]]) -> None:
        commit_here(s, "between-the-halves")
        remember(s, queue, firsts)

    patch.setattr(send, "_remember", remember_later)


def commit_here(s: Session, step: str) -> None:
    """End the transaction in the midst of a verb, and begin another one."""
    s.save()
    s.connection.execute("COMMIT")
    s.reached(step)
    s.connection.execute("BEGIN IMMEDIATE")


def reject_one(store: Driver, arm: Callable[[], None]) -> None:
    store.create()
    store.create("q.dlq")
    store.send("a")
    delivery = store.take()
    arm()
    store.reject(delivery)


def is_in_one_place(store: Driver) -> bool:
    """F5: a dead letter is neither lost nor doubled."""
    return bodies(store.browse()) + bodies(store.browse(queue="q.dlq")) == ["a"]


def send_one_with_a_dedup_id(store: Driver, arm: Callable[[], None]) -> None:
    store.create()
    arm()
    store.send("a", dedup_id="once")


def is_stored_once_when_sent_again(store: Driver) -> bool:
    """F9, F25: the sender that saw no answer repeats the call."""
    store.send("a", dedup_id="once")
    return bodies(store.browse()) == ["a"]


DYING: dict[str, tuple[Callable[[Driver, Callable[[], None]], None], Callable[[Driver], bool], Fault]] = {
    "dead-letter": (reject_one, is_in_one_place, dead_letter_in_two_transactions),
    "dedup": (send_one_with_a_dedup_id, is_stored_once_when_sent_again, dedup_row_outside_the_transaction),
}
STEPS = {
    "dead-letter": ["dead-letter-copied", "before-commit", "after-commit"],
    "dedup": ["before-commit", "after-commit"],
}


def die(case: str, step: str, faulty: bool, path: Path) -> None:
    """The child: act until `step` is reached, then be gone."""
    act, _, fault = DYING[case]
    if faulty:
        fault(pytest.MonkeyPatch())
    armed = False

    def reached(name: str) -> None:
        if armed and name == step:
            os._exit(9)

    def arm() -> None:
        nonlocal armed
        armed = True

    with Driver(SqliteStore(path, failpoint=reached)) as store:
        act(store, arm)


def survives(case: str, step: str, faulty: bool, folder: Path) -> bool:
    """Whether what must hold holds after the death of a child at `step`."""
    path = folder / f"{case}-{step}-{faulty}.db"
    child = subprocess.run([sys.executable, __file__, case, step, str(int(faulty)), path], timeout=60)
    assert child.returncode == 9, f"the child did not reach {step}"
    with Driver(SqliteStore(path)) as store:
        return DYING[case][1](store)


@pytest.mark.parametrize("case", DYING)
def test_a_crash_between_the_halves_is_caught(case: str, tmp_path: Path) -> None:
    for step in STEPS[case]:
        assert survives(case, step, False, tmp_path), step
    assert not survives(case, "between-the-halves", True, tmp_path)


# The fault that only a power loss shows.

SENDS = 60
LOSSES = 200


def synchronous_off(patch: pytest.MonkeyPatch) -> None:
    demand = connection._demand

    def demand_less(database: object, pragma: str, value: str | int) -> None:
        demand(database, pragma, 0 if pragma == "synchronous" else value)

    patch.setattr(connection, "_demand", demand_less)


def lose_power(folder: Path) -> tuple[int, int]:
    """Send, and lose the power at many points. Returns how many accepted messages were lost and made up, in all."""
    live = folder / "live"
    live.mkdir()
    answered: list[int] = []
    with PowerLossVfs() as disk, Driver(SqliteStore(live / "queues.db")) as store:
        store.create()
        for number in range(SENDS):
            store.send(str(number))
            answered.append(disk.position)
        end = disk.position
    chance = random.Random(7)
    lost = made_up = 0
    for loss in range(LOSSES):
        position = chance.randint(1, end)
        after = folder / str(loss)
        after.mkdir()
        disk.after_loss(position, after, chance.random if loss % 2 else None)
        found = sent_after(after / "queues.db")
        accepted = [str(number) for number in range(SENDS) if answered[number] <= position]
        begun = [*accepted, str(len(accepted))]
        lost += len(set(accepted) - set(found))
        made_up += len([body for body in found if body not in begun]) + len(found) - len(set(found))
    return lost, made_up


def sent_after(path: Path) -> list[str]:
    with Driver(SqliteStore(path)) as store:
        return bodies(store.browse(limit=1_000)) if store.queues() else []


@pytest.mark.timeout(120)
def test_no_accepted_message_is_lost_with_the_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F13, F18: a small WAL has the losses fall into checkpoints too."""
    monkeypatch.setattr(transaction, "CHECKPOINT_PAGES", 20)
    assert lose_power(tmp_path) == (0, 0)


@pytest.mark.timeout(120)
def test_the_power_loss_catches_synchronous_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F18. A kill -9 would not: the operating system keeps what a dead process wrote."""
    synchronous_off(monkeypatch)
    lost, _ = lose_power(tmp_path)
    assert lost > 0


if __name__ == "__main__":
    case, step, faulty, path = sys.argv[1:]
    die(case, step, bool(int(faulty)), Path(path))

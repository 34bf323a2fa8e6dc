"""A state machine that drives any store side by side with `core.engine` and compares every answer.

    from crossdock.testing.machine import store_machine

    def test_my_store():
        print(store_machine("mine", lambda folder: MyStore(folder / "jobs.db"), reopens=True).campaign())

Hypothesis makes up the histories and shortens those that fail. Message ids agree because both sides number from 1;
epochs and generations are each side's own. Needs hypothesis.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from crossdock.core.model import Settings, State
from crossdock.storage.base import Store
from crossdock.testing import strategies as some
from crossdock.testing.driver import address
from crossdock.testing.sides import Held, Sides

Answer = tuple[str, dict[str, Any]]
"""A verb that answers deliveries, with its arguments by name."""


class Tally(NamedTuple):
    """What a campaign did. It raised instead if there was a divergence."""

    name: str
    sequences: int
    steps: int

    def __str__(self) -> str:
        return f"{self.name}: {self.sequences} sequences, {self.steps} steps, 0 divergences"


class StoreMachine(RuleBasedStateMachine):
    """One history of a store. `store_machine` makes the subclass for a given store."""

    name: ClassVar[str]
    make_store: ClassVar[Callable[[Path], Store]]
    reopens: ClassVar[bool]
    sequences: ClassVar[int] = 0
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="crossdock-machine-"))
        self.sides = Sides(type(self).make_store(self.folder))
        self.time_passed = False
        type(self).sequences += 1

    def teardown(self) -> None:
        self.sides.close()
        shutil.rmtree(self.folder)

    @classmethod
    def campaign(cls) -> Tally:
        """Run the histories: 300 of up to 60 steps, always the same; 20,000 of 100 when CROSSDOCK_CAMPAIGN is 1."""
        long = os.environ.get("CROSSDOCK_CAMPAIGN") == "1"
        profile = settings(
            max_examples=20_000 if long else 300,
            stateful_step_count=100 if long else 60,
            derandomize=not long,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        cls.sequences = cls.steps = 0
        run_state_machine_as_test(cls, settings=profile)
        return Tally(cls.name, cls.sequences, cls.steps)

    def pick(self, picks: list[int]) -> list[Held]:
        held = self.sides.held
        return [held[-1 - pick % len(held)] for pick in picks]

    def ids(self, picks: list[int] | None) -> list[int] | None:
        return None if picks is None else [max(1, self.sides.last_id - pick) for pick in picks]

    def group(self, wanted: str) -> str:
        return some.GROUPS[0] if self.sides.plain else wanted

    # Queues and groups

    @initialize(plain=st.booleans(), first=some.settings("queue"), second=some.settings("queue", "topic"))
    def begin(self, plain: bool, first: Settings, second: Settings) -> None:
        self.sides.plain = plain
        self.create_queue("a", Settings())
        self.create_queue("b", first)
        self.create_queue("c", second)
        for queue in ("a", "b", "c"):
            self.send(queue, [{"body": b"1"}, {"body": b"2", "ordering_key": "k"}, {"body": b"3", "ordering_key": "k"}])

    def create_queue(self, queue: str, settings: Settings) -> None:
        if self.sides.plain:
            settings = replace(settings, kind="queue")
        self.sides.both("create_queue", address(queue), settings)

    @rule(queue=some.queues, settings=some.settings("queue", "queue", "topic"), how=st.sampled_from("cruu"))
    def change_queue(self, queue: str, settings: Settings, how: str) -> None:
        """Create, replace or update a queue."""
        self.time_passed = False
        if how == "u":
            self.sides.both("update_queue", address(queue), settings)
            return
        if how == "r":
            self.sides.delete_queue(queue)
        self.create_queue(queue, settings)

    @rule(queue=some.queues, group=some.groups, delete=some.rarely)
    def change_group(self, queue: str, group: str, delete: bool) -> None:
        self.time_passed = False
        if delete:
            self.sides.delete_group(queue, self.group(group))
        else:
            self.sides.both("create_group", address(queue), self.group(group))

    # Messages

    @rule(queue=some.queues, batch=some.batches)
    def send(self, queue: str, batch: list[dict[str, Any]]) -> None:
        self.time_passed = False
        self.sides.send(queue, batch)

    @rule(
        queue=some.queues,
        group=some.groups,
        limit=some.limits,
        lease=some.leases,
        consumer=st.sampled_from(("", "one")),
        auto_ack=st.sampled_from((False, False, False, True)),
    )
    def receive(self, queue: str, group: str, limit: int, lease: int, consumer: str, auto_ack: bool) -> None:
        self.time_passed = False
        self.sides.hand_out(queue, self.group(group), limit, lease, consumer, auto_ack)

    @rule(queue=some.queues, group=some.groups, batch=some.batches, limit=some.limits, answer=some.answers)
    def work(self, queue: str, group: str, batch: list[dict[str, Any]], limit: int, answer: Answer) -> None:
        """A whole turn, so that every history has some: send, receive, answer."""
        self.time_passed = False
        self.sides.send(queue, batch)
        new = self.sides.hand_out(queue, self.group(group), limit, lease=50)
        if new:
            self.sides.answer(answer[0], new, **answer[1])

    @precondition(lambda self: self.sides.held)
    @rule(picks=some.picks, answer=some.answers)
    def answer_some(self, picks: list[int], answer: Answer) -> None:
        self.time_passed = False
        self.sides.answer(answer[0], self.pick(picks), **answer[1])

    @precondition(lambda self: self.sides.held)
    @rule(picks=some.picks, queue=some.queues, group=some.groups, answer=some.answers)
    def answer_elsewhere(self, picks: list[int], queue: str, group: str, answer: Answer) -> None:
        self.time_passed = False
        self.sides.answer(answer[0], self.pick(picks), queue, self.group(group), **answer[1])

    @rule(queue=some.queues, picks=some.picks | st.none(), really=some.rarely)
    def delete_messages(self, queue: str, picks: list[int] | None, really: bool) -> None:
        if really:
            self.time_passed = False
            self.sides.both("delete_messages", address(queue), self.ids(picks))

    @rule(which=st.integers(0, 4), picks=st.none() | some.picks)
    def redrive(self, which: int, picks: list[int] | None) -> None:
        self.time_passed = False
        queues = self.sides.model.queues(None) or [address("a")]
        self.sides.redrive(queues[which % len(queues)][1], self.ids(picks))

    @rule(
        queue=some.queues,
        group=some.groups,
        limit=some.limits,
        pick=st.integers(0, 9),
        descending=st.booleans(),
        state=st.sampled_from((None, "ready", "delayed", "leased")),
    )
    def look(self, queue: str, group: str, limit: int, pick: int, descending: bool, state: State | None) -> None:
        self.time_passed = False
        where, message_id = address(queue), max(1, self.sides.last_id - pick)
        self.sides.both("peek", where, group, limit)
        self.sides.both("message", where, message_id)
        self.sides.both("browse", where, group, limit, after=message_id, descending=descending, state=state)

    # Time, and the end of a process

    @rule(ms=some.pauses)
    def later(self, ms: int) -> None:
        """Let time pass without a look, so that the next verb finds work that is due."""
        self.sides.driver.later(ms)
        self.time_passed = True

    @rule(ms=some.pauses)
    def tick(self, ms: int) -> None:
        self.sides.driver.later(ms)
        self.sides.tick()
        self.time_passed = False

    @precondition(lambda self: self.reopens)
    @rule()
    def restart(self) -> None:
        self.time_passed = False
        self.sides.close()
        self.sides.restart(type(self).make_store(self.folder))

    # What must hold after every step

    @invariant()
    def count(self) -> None:
        type(self).steps += 1

    @precondition(lambda self: not self.time_passed)
    @invariant()
    def both_show_the_same(self) -> None:
        self.sides.check()


def store_machine(name: str, make_store: Callable[[Path], Store], *, reopens: bool = False) -> type[StoreMachine]:
    """The machine for one store. `make_store` gets a folder of its own for each history.

    With `reopens` a store made in the same folder again must continue where the closed one ended.
    """
    attributes = {"name": name, "make_store": staticmethod(make_store), "reopens": reopens}
    return type("StoreMachine", (StoreMachine,), attributes)

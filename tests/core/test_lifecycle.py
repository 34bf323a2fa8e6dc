"""The transition table: what it says of each phase, and that the engine never steps outside it."""

from typing import get_args

from crossdock.core.lifecycle import START, TRANSITIONS, Event, Phase, reachable
from crossdock.testing.witness import LEGAL

PHASES = set(get_args(Phase))


def test_every_phase_and_event_is_used() -> None:
    assert {phase for phase, _ in TRANSITIONS} | set(TRANSITIONS.values()) == PHASES
    assert {event for _, event in TRANSITIONS} == set(get_args(Event))


def test_a_message_begins_delayed_or_ready_and_every_phase_can_be_reached() -> None:
    seen = set(START)
    while new := {after for phase in seen for after in reachable(phase)} - seen:
        seen |= new
    assert seen == PHASES


def test_nothing_comes_back_from_done() -> None:
    assert list(reachable("done")) == []


def test_only_a_receive_leads_to_a_lease() -> None:
    assert {event for (phase, event), after in TRANSITIONS.items() if after == "leased" and phase != "leased"} == {
        "receive"
    }


def test_a_message_that_is_not_leased_is_answered_by_nobody() -> None:
    """F1: the answers need a lease."""
    answers = {"ack", "nack", "nack_now", "reject", "extend"}
    assert {phase for phase, event in TRANSITIONS if event in answers} == {"leased"}


def test_one_step_never_leads_from_ready_to_delayed_nor_out_of_done() -> None:
    """What the witness of the state machine concludes from the table."""
    assert "delayed" not in LEGAL["ready"]
    assert LEGAL["done"] == {"done"}

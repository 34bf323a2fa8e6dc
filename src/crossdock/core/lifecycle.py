"""The life of a message in a group: one table, used as test oracle and for the diagram in the docs.

`leased` is left by an answer (ack, nack, reject), by the end of the lease, or by removal (purge, delete).
"""

from collections.abc import Iterator
from typing import Literal

Phase = Literal["delayed", "ready", "leased", "done", "dead"]
Event = Literal[
    "due", "receive", "ack", "nack", "nack_now", "reject", "lease_end", "used_up", "extend", "expire", "remove"
]

START: tuple[Phase, ...] = ("delayed", "ready")

TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    ("delayed", "due"): "ready",
    ("delayed", "expire"): "done",
    ("delayed", "remove"): "done",
    ("ready", "receive"): "leased",
    ("ready", "expire"): "done",
    ("ready", "remove"): "done",
    ("leased", "ack"): "done",
    ("leased", "nack"): "delayed",
    ("leased", "nack_now"): "ready",
    ("leased", "lease_end"): "ready",
    ("leased", "used_up"): "dead",
    ("leased", "reject"): "dead",
    ("leased", "extend"): "leased",
    ("leased", "expire"): "done",
    ("leased", "remove"): "done",
    ("dead", "remove"): "done",
}


def reachable(phase: Phase) -> Iterator[Phase]:
    """The phases one event away from `phase`."""
    for (before, _), after in TRANSITIONS.items():
        if before == phase:
            yield after

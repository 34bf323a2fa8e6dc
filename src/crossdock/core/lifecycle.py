"""The life of a message in a group: one table, used as test oracle and for the diagram in the docs.

`leased` is left by an answer (ack, nack, reject), by the end of the lease, or by removal (purge, delete).
`expire_dead` is `expire` where the queue dead-letters expired messages; `refused` is any way to `dead` that a full
dead-letter queue closes.
"""

from collections.abc import Iterator
from typing import Literal

Phase = Literal["delayed", "ready", "leased", "done", "dead"]
Event = Literal[
    "due",
    "receive",
    "ack",
    "nack",
    "nack_now",
    "reject",
    "lease_end",
    "used_up",
    "refused",
    "extend",
    "expire",
    "expire_dead",
    "remove",
]

START: tuple[Phase, ...] = ("delayed", "ready")

TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    ("delayed", "due"): "ready",
    ("delayed", "expire"): "done",
    ("delayed", "expire_dead"): "dead",
    ("delayed", "remove"): "done",
    ("ready", "receive"): "leased",
    ("ready", "expire"): "done",
    ("ready", "expire_dead"): "dead",
    ("ready", "remove"): "done",
    ("leased", "ack"): "done",
    ("leased", "nack"): "delayed",
    ("leased", "nack_now"): "ready",
    ("leased", "lease_end"): "ready",
    ("leased", "used_up"): "dead",
    ("leased", "reject"): "dead",
    ("leased", "refused"): "delayed",
    ("leased", "extend"): "leased",
    ("leased", "expire"): "done",
    ("leased", "expire_dead"): "dead",
    ("leased", "remove"): "done",
    ("dead", "remove"): "done",
}


def reachable(phase: Phase) -> Iterator[Phase]:
    """The phases one event away from `phase`."""
    for (before, _), after in TRANSITIONS.items():
        if before == phase:
            yield after

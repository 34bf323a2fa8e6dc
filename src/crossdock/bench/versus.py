"""Every contest and gauge, by name."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossdock.core.errors import InvalidArgument

from . import backlog, embedded, http, log, sqlite
from .contest import Contest, Gauge, Outcome, run_contest, run_gauge
from .run import Progress

Entry = Contest | Gauge

MESSAGES_MIN = 1_600
"""Fewest messages of a measurement: whole batches of each contest, at most so many."""
QUICK = 50
"""How many times fewer messages a quick run moves: it shows that everything works, its numbers say little."""


def entries(quick: bool) -> dict[str, Entry]:
    """What there is to run."""
    scale = QUICK if quick else 1
    found: tuple[Entry, ...] = (
        *embedded.CONTESTS,
        *sqlite.CONTESTS,
        *log.CONTESTS,
        *http.CONTESTS,
        *backlog.contests(scale),
        *backlog.GAUGES,
    )
    return {each.name: _smaller(each, scale) for each in found}


def _smaller(entry: Entry, scale: int) -> Entry:
    return msgspec.structs.replace(entry, messages=max(entry.messages // scale, MESSAGES_MIN))


def run_versus(names: Sequence[str], repeat: int, quick: bool, progress: Progress) -> list[Outcome]:
    """Run the entries of these names, or all. Raises InvalidArgument for a name that is not there, BenchFailed.

    Files are kept in the working directory meanwhile: what a disk takes to be sure is part of what is measured.
    """
    there = entries(quick)
    for name in names:
        if name not in there:
            raise InvalidArgument("name", name, f"must be one of {', '.join(there)}")
    outcomes = []
    for name in names or there:
        with tempfile.TemporaryDirectory(prefix="crossdock-bench-", dir=".") as folder:
            outcomes.append(_run(there[name], Path(folder).absolute(), repeat, progress))
    return outcomes


def _run(entry: Entry, folder: Path, repeat: int, progress: Progress) -> Outcome:
    if isinstance(entry, Gauge):
        progress(entry.name, 0, 1)
        return run_gauge(entry, folder)
    return run_contest(entry, folder, repeat, lambda number: progress(entry.name, number, repeat))

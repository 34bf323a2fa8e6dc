"""Crossdock against the bare minimum, by turns in one run: what counts is the ratio, not the machine."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Literal

from msgspec import Struct

from .report import Row


class Sample(Struct, frozen=True):
    """What moving some messages took."""

    messages: int
    seconds: float
    cpu_s: float | None = None
    """Processor seconds of the process that is measured, where that is another one."""


Measure = Callable[[int], Sample]
"""Moves about so many messages once."""
Side = Callable[[Path], AbstractContextManager[Measure]]
"""Prepares for any number of measurements; may keep files in the folder."""
Bound = Literal["at least", "at most"]


class Contest(Struct, frozen=True, kw_only=True):
    """Two sides and the ratio that is promised between them."""

    name: str
    level: str
    ours: Side
    raw: Side
    against: str
    """What the raw side does."""
    messages: int
    """Of one measurement."""
    target: float
    costs: bool = False
    """Whether the ratio is that of time per message, which must be at most `target`, or that of rates, at least."""
    limit: str
    """What limits it, in one sentence."""


class Gauge(Struct, frozen=True, kw_only=True):
    """A number with a bound."""

    name: str
    level: str
    measure: Callable[[Path, int], float]
    messages: int
    unit: str
    target: float
    limit: str


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a contest or a gauge."""

    name: str
    level: str
    value: float
    unit: str
    bound: Bound
    target: float
    ours_per_s: float | None = None
    raw_per_s: float | None = None
    ours_cpu_us: float | None = None
    raw_cpu_us: float | None = None
    """Processor time a message; medians, as the rates are."""
    against: str = ""
    samples: Sequence[float] = ()
    """The ratio of each repeat, or the value of the gauge."""
    limit: str

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.bound == "at least" else self.value <= self.target

    def row(self) -> Row:
        """The outcome as it is printed."""
        return {
            "name": self.name,
            "level": self.level,
            "value": f"{self.value:.2f} {self.unit}",
            "target": f"{self.bound} {self.target:g} {self.unit}",
            "met": self.met,
            "ours_per_s": self.ours_per_s and round(self.ours_per_s),
            "raw_per_s": self.raw_per_s and round(self.raw_per_s),
            "ours_cpu_us": self.ours_cpu_us and round(self.ours_cpu_us, 1),
            "raw_cpu_us": self.raw_cpu_us and round(self.raw_cpu_us, 1),
            "against": self.against or None,
            "samples": [round(each, 3) for each in self.samples],
            "limit": self.limit,
        }


def run_contest(contest: Contest, folder: Path, repeat: int, told: Callable[[int], None]) -> Outcome:
    """Measure both sides by turns, `repeat` times each; `told` hears of each turn."""
    ours: list[Sample] = []
    raw: list[Sample] = []
    with ExitStack() as stack:
        turns = [(side, stack.enter_context(side(folder))) for side in (contest.ours, contest.raw)]
        for number in range(repeat):
            told(number)
            for side, measure in turns if number % 2 == 0 else reversed(turns):
                (ours if side is contest.ours else raw).append(measure(contest.messages))
    ours_rate, raw_rate = _rate(ours), _rate(raw)
    return Outcome(
        name=contest.name,
        level=contest.level,
        value=raw_rate / ours_rate if contest.costs else ours_rate / raw_rate,
        unit="x",
        bound="at most" if contest.costs else "at least",
        target=contest.target,
        ours_per_s=ours_rate,
        raw_per_s=raw_rate,
        ours_cpu_us=_cpu_us(ours),
        raw_cpu_us=_cpu_us(raw),
        against=contest.against,
        samples=[_ratio(mine, other, contest.costs) for mine, other in zip(ours, raw, strict=True)],
        limit=contest.limit,
    )


def run_gauge(gauge: Gauge, folder: Path) -> Outcome:
    """Measure once: these numbers hardly vary."""
    value = gauge.measure(folder, gauge.messages)
    return Outcome(
        name=gauge.name,
        level=gauge.level,
        value=value,
        unit=gauge.unit,
        bound="at most",
        target=gauge.target,
        samples=[value],
        limit=gauge.limit,
    )


def _rate(samples: Sequence[Sample]) -> float:
    return statistics.median(each.messages / each.seconds for each in samples)


def _ratio(ours: Sample, raw: Sample, costs: bool) -> float:
    ratio = _rate([ours]) / _rate([raw])
    return 1 / ratio if costs else ratio


def _cpu_us(samples: Sequence[Sample]) -> float | None:
    known = [each.cpu_s / each.messages * 1_000_000 for each in samples if each.cpu_s is not None]
    return statistics.median(known) if known else None

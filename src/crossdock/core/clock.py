"""Time is a parameter: the core gets `now` with every call, everything above it gets a Clock."""

from collections.abc import Callable
from typing import Protocol

Cancel = Callable[[], None]


class Clock(Protocol):
    """Two clocks and an alarm, all in milliseconds."""

    def now(self) -> int:
        """Wall time, for what is stored. Never falls within a process."""
        ...

    def monotonic(self) -> int:
        """For durations; its zero means nothing."""
        ...

    def alarm(self, at: int, fire: Callable[[], None]) -> Cancel:
        """Call `fire` once when `now()` has reached `at`; the returned function calls it off."""
        ...

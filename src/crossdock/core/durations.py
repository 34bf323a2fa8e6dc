"""Durations as people write them: Go's notation (`300ms`, `1m30s`, `1.5h`), seconds, timedelta. Inside: ms."""

import math
import re
from datetime import timedelta

from .errors import InvalidArgument

Duration = float | int | str | timedelta
"""A number of seconds, a timedelta, or text such as `"1m30s"`."""

_UNITS_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86400e3}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_RULE = 'must be a duration such as 5, "300ms" or "1m30s"'
_TEXT_CHARS_MAX = 64
_SECONDS_MAX = 1e15
"""Far beyond every bound in `limits`, and far from what a float cannot hold."""


def parse_duration(field: str, text: str) -> int:
    """Milliseconds of `text` in Go's notation, `d` for days included; "0" needs no unit. Raises InvalidArgument.

    Less than a millisecond but more than nothing counts as one.
    """
    if text == "0":
        return 0
    if len(text) > _TEXT_CHARS_MAX or _WHOLE.fullmatch(text) is None:
        raise InvalidArgument(field, text, _RULE)
    return _whole_ms(sum(float(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text)))


def to_ms(field: str, value: Duration) -> int:
    """Milliseconds of a duration in any of its forms. Raises InvalidArgument, for negative ones too."""
    if isinstance(value, str):
        return parse_duration(field, value)
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= _SECONDS_MAX:
        raise InvalidArgument(field, value, _RULE)
    return _whole_ms(seconds * 1000)


def format_ms(ms: int) -> str:
    """`ms` in Go's notation, shortest form: `1m30s`, `250ms`, `0s`."""
    if ms < 1000:
        return f"{ms}ms" if ms else "0s"
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000)):
        if ms >= size:
            parts.append(f"{ms // size}{unit}")
            ms %= size
    if ms:
        parts.append(f"{ms / 1000:g}s")
    return "".join(parts)


def _whole_ms(ms: float) -> int:
    return math.ceil(ms) if ms < 1 else round(ms)

"""Queue settings as keyword arguments."""

from typing import TypedDict

import msgspec

from crossdock.core.durations import Duration, to_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.model import DURATION_SETTINGS, Overflow, Settings


class Options(TypedDict, total=False):
    """Settings of a queue, see `core.model.Settings`; durations as numbers of seconds, timedelta or text."""

    lease: Duration | None
    max_attempts: int | None
    backoff: Duration | None
    ttl: Duration | None
    dead_letter: str | None
    dead_letter_expired: bool
    dedup_window: Duration | None
    max_messages: int | None
    max_bytes: int | None
    overflow: Overflow


def settings_with(base: Settings, options: Options) -> Settings:
    """`base` with the given options in place. Raises InvalidArgument for unknown names and bad durations."""
    changes: dict[str, object] = {}
    for name, value in options.items():
        if name not in Options.__annotations__:
            raise InvalidArgument("settings", name, f"must be among {', '.join(Options.__annotations__)}")
        changes[name] = to_ms(name, value) if name in DURATION_SETTINGS and value is not None else value  # type: ignore[arg-type]
    return msgspec.structs.replace(base, **changes)

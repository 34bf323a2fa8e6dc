"""Queue settings as keyword arguments."""

from collections.abc import Mapping
from typing import Any, TypedDict

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
    return msgspec.structs.replace(base, **changes_of(options, Options, "settings"))


def changes_of(options: Mapping[str, object], known: type, field: str) -> dict[str, Any]:
    """Options as fields of `Settings`, their names among those of the dictionary type `known`."""
    changes: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known.__annotations__:
            raise InvalidArgument(field, name, f"must be among {', '.join(known.__annotations__)}")
        changes[name] = to_ms(name, value) if name in DURATION_SETTINGS and value is not None else value  # type: ignore[arg-type]
    return changes

"""Settings, stats and looks of crossdock.v1 <-> core objects."""

from collections.abc import Iterable
from typing import Any, cast

from msgspec.structs import asdict, fields

from crossdock.core.model import GroupStats, Peeked, QueueStats, Settings, State, Totals

from . import broker_pb2 as pb
from .messages import message_of, stored

_OPTIONAL = tuple(field.name for field in fields(Settings) if field.default is None)
"""Settings that may be left to the server."""
_COUNTS = ("name", "stored", "bytes", "ready", "delayed", "leased", "dead", "oldest")


def settings_of(told: pb.Settings) -> Settings:
    """The settings that a request names; whether they make sense the broker says."""
    given = {name: getattr(told, name) for name in _OPTIONAL if told.HasField(cast(Any, name))}
    return Settings(
        kind=cast(Any, told.kind or "queue"),
        dead_letter_expired=told.dead_letter_expired,
        overflow=cast(Any, told.overflow or "reject"),
        paused=told.paused,
        **given,
    )


def settings_told(settings: Settings) -> pb.Settings:
    """Settings as requests and responses have them."""
    return pb.Settings(**asdict(settings))


def stats_shown(stats: QueueStats) -> pb.Stats:
    """Stats as a response has them."""
    return pb.Stats(
        **{name: getattr(stats, name) for name in _COUNTS},
        settings=settings_told(stats.settings),
        groups={name: pb.GroupStats(**asdict(group)) for name, group in stats.groups.items()},
        totals=pb.Totals(**asdict(stats.totals)),
    )


def stats_of(shown: pb.Stats) -> QueueStats:
    """The stats that a response shows."""
    return QueueStats(
        **{name: getattr(shown, name) for name in _COUNTS},
        settings=settings_of(shown.settings),
        groups={name: GroupStats(group.ready, group.delayed, group.leased) for name, group in shown.groups.items()},
        totals=Totals(**{field.name: getattr(shown.totals, field.name) for field in fields(Totals)}),
    )


def peeked_shown(found: Iterable[Peeked]) -> pb.PeekedMessages:
    """Stored messages and where they stand, as a response has them."""
    return pb.PeekedMessages(
        messages=[
            pb.Peeked(
                message=stored(each.message),
                state=each.state,
                attempts=each.attempts,
                due=each.due,
                consumer=each.consumer,
                error=each.error,
            )
            for each in found
        ]
    )


def peeked_of(shown: pb.PeekedMessages) -> list[Peeked]:
    """Stored messages and where they stand."""
    return [
        Peeked(message_of(each.message), cast(State, each.state), each.attempts, each.due, each.consumer, each.error)
        for each in shown.messages
    ]


def state_of(text: str) -> State | None:
    """The state that a request names, whether or not there is one of that name; None: any."""
    return cast(State, text) if text else None

"""The JSON API's requests and responses about queues: settings, status, stats, groups."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import asdict

from crossdock.core.durations import format_ms, to_ms
from crossdock.core.errors import CrossdockError
from crossdock.core.model import DURATION_SETTINGS, GroupStats, Kind, Overflow, QueueStats, Settings, Totals

from .json_api import Duration, MessageId, Request, Time

DeadLetterName = Annotated[
    str | None, Meta(description='Name of the dead-letter queue; null: `<queue>.dlq`; "": off, messages are dropped.')
]
Backoff = Annotated[Duration | None, Meta(description="Delay after the first nack; doubles with each delivery.")]
MaxAttempts = Annotated[int | None, Meta(description="Deliveries before a message is dead-lettered; 0: no limit.")]


class QueueSettings(Request):
    """Settings of a queue. null stands for the server's default."""

    kind: Kind = "queue"
    lease: Duration | None = None
    max_attempts: MaxAttempts = None
    backoff: Backoff = None
    ttl: Duration | None = None
    dead_letter: DeadLetterName = None
    dead_letter_expired: bool = False
    dedup_window: Duration | None = None
    max_messages: int | None = None
    max_bytes: int | None = None
    overflow: Overflow = "reject"
    paused: bool = False


class SettingsChange(Request):
    """The settings to change; those not named stay."""

    lease: Duration | UnsetType | None = UNSET
    max_attempts: int | UnsetType | None = UNSET
    backoff: Duration | UnsetType | None = UNSET
    ttl: Duration | UnsetType | None = UNSET
    dead_letter: str | UnsetType | None = UNSET
    dead_letter_expired: bool | UnsetType = UNSET
    dedup_window: Duration | UnsetType | None = UNSET
    max_messages: int | UnsetType | None = UNSET
    max_bytes: int | UnsetType | None = UNSET
    overflow: Overflow | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


class SettingsShown(Struct):
    """The settings of a queue."""

    status: Literal["ok"]
    settings: QueueSettings


class GroupName(Request):
    """A group."""

    group: str


class GroupNotFound(CrossdockError):
    """The queue has no such group. Told to who deletes one over HTTP."""

    code = "group_not_found"


class MessageIds(Request):
    """Messages; all of them when the list is empty."""

    message_ids: list[MessageId] = field(default_factory=list)


class SomeMessageIds(Request):
    """Messages; up to 1000."""

    message_ids: Annotated[list[MessageId], Meta(min_length=1)]


class Counted(Struct):
    """What was done, and to how many messages."""

    status: str
    count: int


class QueueNames(Struct):
    """The names of the queues, in order."""

    status: Literal["ok"]
    queues: list[str]


class QueueStatus(Struct):
    """A queue in short."""

    queue_type: Annotated[Literal["memory", "file"], Meta(description="Where the messages are kept.")]
    total_messages: int
    acked_messages: int
    inflight_messages: int
    dlq_messages: int


class StatusShown(Struct):
    """The status of a queue."""

    status: Literal["ok"]
    queue_status: QueueStatus


class AllStatusShown(Struct):
    """The status of every queue."""

    status: Literal["ok"]
    all_queue_map: dict[str, QueueStatus]


class Stats(Struct):
    """A queue in full. The counts sum over the groups; without groups they count the messages."""

    name: str
    settings: QueueSettings
    stored: int
    bytes: int
    ready: int
    delayed: int
    leased: int
    dead: int
    oldest: Time
    groups: dict[str, GroupStats]
    totals: Totals


class StatsShown(Struct):
    """The stats of a queue."""

    status: Literal["ok"]
    stats: Stats


class Health(Struct):
    """Whether the server takes requests."""

    status: Literal["ok", "closing"]


def settings_of(request: QueueSettings) -> Settings:
    """The settings that a request names. Raises InvalidArgument for a bad duration."""
    values = asdict(request)
    for name in DURATION_SETTINGS:
        if values[name] is not None:
            values[name] = to_ms(name, values[name])
    return Settings(**values)


def settings_shown(settings: Settings) -> QueueSettings:
    """Settings as requests and responses have them."""
    values = asdict(settings)
    for name in DURATION_SETTINGS:
        if values[name] is not None:
            values[name] = format_ms(values[name])
    return QueueSettings(**values)


def changed(settings: Settings, change: SettingsChange) -> Settings:
    """`settings` with what `change` names. Raises InvalidArgument for a bad duration."""
    named = {name: value for name, value in asdict(change).items() if value is not UNSET}
    return settings_of(QueueSettings(**{**asdict(settings_shown(settings)), **named}))


def status_of(stats: QueueStats, queue_type: Literal["memory", "file"]) -> QueueStatus:
    """A queue in short."""
    return QueueStatus(queue_type, stats.stored, stats.totals.acked, stats.leased, stats.dead)


def stats_shown(stats: QueueStats) -> Stats:
    """Stats as a response has them."""
    return Stats(**{**asdict(stats), "settings": settings_shown(stats.settings)})


def stats_of(shown: Stats) -> QueueStats:
    """The stats that a response tells of."""
    return QueueStats(**{**asdict(shown), "settings": settings_of(shown.settings)})

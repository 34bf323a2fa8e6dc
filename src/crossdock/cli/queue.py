"""Queues: ls, info, create, edit, rm, purge, pause, resume."""

import sys
from dataclasses import dataclass
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from crossdock.core.durations import format_ms, parse_duration
from crossdock.core.errors import QueueNotFound
from crossdock.core.model import DEFAULT_NAMESPACE, DURATION_SETTINGS, Address, Kind, Overflow, QueueStats, Settings

from .options import HERE, Target, option
from .output import FAILED, OK, complain, examples, time_text

Name = Annotated[str, Parameter(help="Name of the queue")]
Yes = Annotated[bool, option("YES", "Do not ask for confirmation", "-y")]
NO_DEAD_LETTERS = "off"

app = App(
    name="queue",
    help="Manage queues.",
    help_epilogue=examples(
        "queue create orders --lease 1m --max-attempts 5",
        "queue ls",
        "queue edit orders --overflow drop-oldest --max-messages 100000",
        "queue purge orders --yes",
    ),
)


@Parameter(name="*")
@dataclass(frozen=True)
class Changes:
    """Settings of a queue; what is None stays as it is."""

    lease: Annotated[str | None, option("QUEUE_LEASE", "Lease of a delivery, such as 30s")] = None
    max_attempts: Annotated[int | None, option("QUEUE_MAX_ATTEMPTS", "Deliveries before the DLQ; 0: no limit")] = None
    backoff: Annotated[str | None, option("QUEUE_BACKOFF", "Delay after the first nack; doubles each time")] = None
    ttl: Annotated[str | None, option("QUEUE_TTL", "Time to live of messages; 0: for ever")] = None
    dead_letter: Annotated[
        str | None, option("QUEUE_DEAD_LETTER", "Name of the dead-letter queue, or off. Default: NAME.dlq")
    ] = None
    dead_letter_expired: Annotated[
        bool | None,
        Parameter(
            help="Dead-letter expired messages rather than drop them",
            env_var="CROSSDOCK_QUEUE_DEAD_LETTER_EXPIRED",
            negative="--no-dead-letter-expired",
        ),
    ] = None
    dedup_window: Annotated[str | None, option("QUEUE_DEDUP_WINDOW", "How long a dedup id is remembered")] = None
    max_messages: Annotated[int | None, option("QUEUE_MAX_MESSAGES", "Bound of stored messages")] = None
    max_bytes: Annotated[int | None, option("QUEUE_MAX_BYTES", "Bound of stored bytes")] = None
    overflow: Annotated[Overflow | None, option("QUEUE_OVERFLOW", "What a full queue does")] = None

    def over(self, settings: Settings) -> Settings:
        """`settings` with these changes."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name in DURATION_SETTINGS:
            if name in given:
                given[name] = parse_duration(f"--{name.replace('_', '-')}", given[name])
        if given.get("dead_letter") == NO_DEAD_LETTERS:
            given["dead_letter"] = ""
        return msgspec.structs.replace(settings, **given)


@app.command
async def ls(*, target: Target = HERE) -> int:
    """List the queues with their message counts."""
    found = []
    async with target.connect() as mq:
        for name in await mq.transport.queues(DEFAULT_NAMESPACE):
            try:
                found.append(await mq.transport.stats(_address(name)))
            except QueueNotFound:
                continue  # Deleted since it was listed.
    target.printer().rows([_counts(stats) for stats in found])
    return OK


@app.command
async def info(name: Name, /, *, target: Target = HERE) -> int:
    """Show a queue: settings, counts by state and by group, totals."""
    async with target.connect() as mq:
        stats = await mq.transport.stats(_address(name))
    groups = {group: msgspec.to_builtins(counts) for group, counts in stats.groups.items()}
    parts = {"bytes": stats.bytes, "oldest": time_text(stats.oldest), "settings": _settings_row(stats.settings)}
    target.printer().one(_counts(stats) | parts | {"groups": groups, "totals": msgspec.to_builtins(stats.totals)})
    return OK


@app.command
async def create(
    name: Name,
    /,
    *,
    kind: Annotated[
        Kind, option("QUEUE_KIND", "queue keeps messages for groups to come, topic does not. Default: queue")
    ] = "queue",
    changes: Changes = Changes(),
    target: Target = HERE,
) -> int:
    """Create a queue. Creating it again changes nothing and is no error."""
    async with target.connect() as mq:
        created = await mq.transport.create_queue(_address(name), changes.over(Settings(kind=kind)))
    target.printer().one({"name": name, "created": created})
    return OK


@app.command
async def edit(name: Name, /, *, changes: Changes = Changes(), target: Target = HERE) -> int:
    """Change settings of a queue; those not named stay."""
    return await _change(name, changes, None, target)


@app.command
async def pause(name: Name, /, *, target: Target = HERE) -> int:
    """Hand out nothing from a queue until it is resumed. It goes on accepting messages."""
    return await _change(name, Changes(), True, target)


@app.command
async def resume(name: Name, /, *, target: Target = HERE) -> int:
    """Hand out messages again."""
    return await _change(name, Changes(), False, target)


@app.command
async def rm(name: Name, /, *, yes: Yes = False, target: Target = HERE) -> int:
    """Delete a queue with everything in it."""
    if not _sure(f"Delete queue {name} with its messages?", yes):
        return FAILED
    async with target.connect() as mq:
        await mq.transport.delete_queue(_address(name))
    target.printer().one({"name": name, "deleted": True})
    return OK


@app.command
async def purge(name: Name, /, *, yes: Yes = False, target: Target = HERE) -> int:
    """Delete every message of a queue, leased ones too."""
    if not _sure(f"Delete every message of queue {name}?", yes):
        return FAILED
    async with target.connect() as mq:
        count = await mq.transport.delete_messages(_address(name))
    target.printer().one({"name": name, "purged": count})
    return OK


async def _change(name: str, changes: Changes, paused: bool | None, target: Target) -> int:
    async with target.connect() as mq:
        settings = changes.over((await mq.transport.stats(_address(name))).settings)
        if paused is not None:
            settings = msgspec.structs.replace(settings, paused=paused)
        await mq.transport.update_queue(_address(name), settings)
    target.printer().one({"name": name, "settings": _settings_row(settings)})
    return OK


def _address(name: str) -> Address:
    return (DEFAULT_NAMESPACE, name)


def _counts(stats: QueueStats) -> dict[str, object]:
    row: dict[str, object] = {"name": stats.name, "kind": stats.settings.kind, "paused": stats.settings.paused}
    for state in ("stored", "ready", "delayed", "leased", "dead"):
        row[state] = getattr(stats, state)
    return row


def _settings_row(settings: Settings) -> dict[str, object]:
    """The settings that are not left to the server, in the words of the options."""
    row = {name: value for name, value in msgspec.structs.asdict(settings).items() if value is not None}
    for name in DURATION_SETTINGS:
        if name in row:
            row[name] = format_ms(row[name])
    return row


def _sure(question: str, yes: bool) -> bool:
    """Ask, when there is somebody to ask."""
    if yes or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    print(f"{question} [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    complain("nothing was deleted")
    return False

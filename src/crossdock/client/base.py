"""What both flavours share: the handle of a queue, its verbs' arguments turned to ms, and what takes two verbs."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from msgspec import structs

from crossdock.core.durations import Duration, to_ms
from crossdock.core.errors import InvalidArgument, QueueNotFound
from crossdock.core.model import Address, Delivery, Kind, Settings

from .bodies import positive_ms
from .received import Received
from .transport import Member, Transport

SUBSCRIBE_WAIT_MS = 60_000
"""How long who takes messages for ever waits in one receive. The number only bounds a lost wake-up."""

Mode = Literal["at-most-once", "at-least-once"]
"""How often a message is handed out at the worst: never again, or again until it is answered."""


class Handle:
    """A queue as seen from one group."""

    __slots__ = ("_exists", "_settings", "address", "group_name")

    def __init__(self, address: Address, group: str, settings: Settings, exists: bool) -> None:
        self.address = address
        self.group_name = group
        self._settings = settings
        self._exists = exists

    @property
    def name(self) -> str:
        return self.address[1]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, group {self.group_name!r}>"


class Joining(NamedTuple):
    """How a consumer becomes a member of a group, once the group exists."""

    address: Address
    group: str
    consumer: str
    prefetch: int
    lease: int
    auto_ack: bool

    def now(self, transport: Transport) -> Member:
        """Become one. Raises InvalidArgument, QueueClosed."""
        return transport.join(self.address, self.group, self.prefetch, self.lease, self.consumer, self.auto_ack)


def lease_ms(lease: Duration | None) -> int:
    """0 stands for the queue's own lease."""
    return 0 if lease is None else positive_ms("lease", lease)


def wait_ms(wait: Duration | None, field: str = "wait") -> int:
    """0 stands for no wait."""
    return 0 if wait is None else to_ms(field, wait)


def delay_ms(delay: Duration | None) -> int | None:
    """None stands for the queue's backoff."""
    return None if delay is None else to_ms("delay", delay)


def auto_ack(mode: Mode) -> bool:
    """Whether a message is settled by its hand-out. Raises InvalidArgument for a mode that is none."""
    if mode == "at-least-once":
        return False
    if mode != "at-most-once":
        raise InvalidArgument("mode", mode, f"must be one of {', '.join(get_args(Mode))}")
    return True


def receipts(deliveries: Iterable[Received]) -> list[Delivery]:
    """What the broker knows of deliveries."""
    return [delivery.lease for delivery in deliveries]


def paused(settings: Settings, value: bool) -> Settings:
    """The settings with `paused` set."""
    return structs.replace(settings, paused=value)


async def settings_of(transport: Transport, address: Address, kind: Kind) -> Settings:
    """Settings of a queue of that kind. Raises QueueNotFound when there is none."""
    settings = (await transport.stats(address)).settings
    if settings.kind != kind:
        raise QueueNotFound(address[1])
    return settings


async def names_of(transport: Transport, namespace: str, kind: Kind) -> list[str]:
    """Names of the queues of that kind, in order."""
    found = []
    for name in await transport.queues(namespace):
        try:
            await settings_of(transport, (namespace, name), kind)
        except QueueNotFound:
            continue  # Of the other kind, or deleted since it was listed.
        found.append(name)
    return found

"""What both flavours of Queue share: the handle's name and group, and the arguments of its verbs turned to ms."""

from collections.abc import Iterable

from msgspec import structs

from crossdock.core.durations import Duration, to_ms
from crossdock.core.model import Address, Delivery, Settings

from .bodies import positive_ms
from .received import Received

SUBSCRIBE_WAIT_MS = 60_000
"""How long a subscription waits in one receive. It goes on with the next; the number only bounds a lost wake-up."""


class Handle:
    """A queue as seen from one group."""

    __slots__ = ("_exists", "_settings", "address", "group_name")

    def __init__(self, address: Address, group: str, settings: Settings) -> None:
        self.address = address
        self.group_name = group
        self._settings = settings
        self._exists = False

    @property
    def name(self) -> str:
        return self.address[1]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, group {self.group_name!r}>"


def lease_ms(lease: Duration | None) -> int:
    """0 stands for the queue's own lease."""
    return 0 if lease is None else positive_ms("lease", lease)


def wait_ms(wait: Duration | None) -> int:
    """0 stands for no wait."""
    return 0 if wait is None else to_ms("wait", wait)


def delay_ms(delay: Duration | None) -> int | None:
    """None stands for the queue's backoff."""
    return None if delay is None else to_ms("delay", delay)


def receipts(deliveries: Iterable[Received]) -> list[Delivery]:
    """What the broker knows of deliveries."""
    return [delivery.lease for delivery in deliveries]


def paused(settings: Settings, value: bool) -> Settings:
    """The settings with `paused` set."""
    return structs.replace(settings, paused=value)

"""What to put through a door."""

from msgspec import Struct

from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BATCH_MESSAGES_MAX, BODY_BYTES_MAX, check_range

from .body import SIZE_MIN

CALLERS_MAX = 1_000
MESSAGES_MAX = 10_000_000
SECONDS_MAX = 3600
RATE_MAX = 10_000_000


class Load(Struct, frozen=True, kw_only=True):
    """A load. It ends after `messages` or `seconds`, whichever comes first; receivers then empty the queue."""

    senders: int = 8
    receivers: int = 8
    messages: int = MESSAGES_MAX
    seconds: float = 5
    """How long the measured part takes."""
    warmup: float = 1
    """Seconds before it, in which everything is counted and nothing is measured."""
    size: int = 100
    """Bytes of a body."""
    batch: int = 1
    """Messages of a send, and most of a receive."""
    rate: float = 0
    """Messages a second of all senders together, sent on a schedule whatever the answers take; 0: flat out."""

    def check(self) -> None:
        """Raise InvalidArgument for what cannot be done."""
        check_range("--senders", self.senders, 1, CALLERS_MAX)
        check_range("--receivers", self.receivers, 0, CALLERS_MAX)
        check_range("--messages", self.messages, 1, MESSAGES_MAX)
        check_range("--size", self.size, SIZE_MIN, BODY_BYTES_MAX, " bytes")
        check_range("--batch", self.batch, 1, BATCH_MESSAGES_MAX)
        for name, value, low, high in (
            ("--seconds", self.seconds, 0.01, SECONDS_MAX),
            ("--warmup", self.warmup, 0, SECONDS_MAX),
            ("--rate", self.rate, 0, RATE_MAX),
        ):
            if not low <= value <= high:
                raise InvalidArgument(name, value, f"must be a number from {low} to {high}")

    def quota(self, sender: int) -> int:
        """How many of the messages this sender sends."""
        share, rest = divmod(self.messages, self.senders)
        return share + (sender < rest)

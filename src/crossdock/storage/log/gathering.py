"""Messages that are sent one by one at the same time are gathered: they become one command together."""

from crossdock.core.model import Address, Message

MESSAGES_MAX = 256
BYTES_MAX = 64 * 1024
"""Of the bodies of one command. A longer body gets a command of its own."""
RECORD_BYTES_MAX = BYTES_MAX + 8 * MESSAGES_MAX + 1024
"""Of its record, with the names in it."""


class Gathering:
    """What is gathered for one queue at one time. The engine gets it with the next command, or the next commit."""

    __slots__ = ("address", "bytes", "messages", "now")

    def __init__(self, address: Address, now: int) -> None:
        self.address = address
        self.now = now
        self.messages: list[Message] = []
        self.bytes = 0

    def takes(self, address: Address, now: int, size: int) -> bool:
        """Whether a message may be added."""
        return (
            now <= self.now
            and address == self.address
            and len(self.messages) < MESSAGES_MAX
            and self.bytes + size <= BYTES_MAX
        )

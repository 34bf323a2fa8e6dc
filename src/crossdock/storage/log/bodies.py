"""Where bodies are: in memory up to a budget, beyond it in the log alone.

A message whose body is not in memory has a `Paged` in its place. The engine never looks into a body that it has
accepted, so it does not notice; what leaves the store goes through `Bodies.filled` first.
"""

from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Message
from crossdock.storage.wal.record import Record
from crossdock.storage.wal.segment import Place

from .commands import Send, SendAll, decode

MEMORY_BYTES = 256 * 1024 * 1024
"""How much memory bodies may take unless the store is told otherwise."""
_COUNTS = 16
"""While memory is full, it is counted again so often in the time in which the whole budget is sent."""

Read = Callable[[Place], Record | None]


class Paged:
    """A body that is in the log: in which record, and where among the record's bodies."""

    __slots__ = ("bodies", "index", "place", "size")

    def __init__(self, bodies: "Bodies", place: Place, index: int, size: int) -> None:
        self.bodies = bodies
        self.place = place
        self.index = index
        self.size = size
        bodies.paged_bytes += size

    def __len__(self) -> int:
        return self.size

    def __del__(self) -> None:
        # Messages end in many ways; all of them end here.
        self.bodies.paged_bytes -= self.size


class Bodies:
    """Decides what stays in memory, and reads the rest. Not thread-safe but for `filled`."""

    def __init__(self, budget: int, stored_bytes: Callable[[], int]) -> None:
        self._budget = budget
        self._stored_bytes = stored_bytes
        self._in_memory = 0
        """At most this much is in memory: counted a while ago, and all that was kept since."""
        self._uncounted = 0
        self.paged_bytes = 0
        self.unwritten: dict[Place, bytes] = {}
        """Payloads that hold paged bodies and are not in the log yet."""
        self._last: tuple[Place, Sequence[bytes]] | None = None
        """The bodies of the record that was read last: the next message is mostly in the same one."""

    def page(self, messages: Sequence[Message], place: Place, payload: bytes | None) -> None:
        """Keep the bodies of new messages in the log alone, in the record at `place`.

        `payload` is the record's, None when it can be read already.
        """
        for index, message in enumerate(messages):
            message.body = self.paged(place, index, len(message.body))
        if payload is not None:
            self.unwritten[place] = payload

    def written(self, is_written: Callable[[Place], bool]) -> None:
        """A commit is done: what is in the log now need not be kept for reading."""
        for place in [place for place in self.unwritten if is_written(place)]:
            del self.unwritten[place]

    def fit(self, size: int) -> bool:
        """Whether there is memory for the bodies of new messages, which then is taken."""
        if not self._budget:
            return False
        self._uncounted += size
        if self._in_memory + size > self._budget:
            if self._uncounted * _COUNTS < self._budget:
                return False
            self._uncounted = 0
            self._in_memory = self._stored_bytes() - self.paged_bytes - size  # the new ones are stored already
        if self._in_memory + size > self._budget:
            return False
        self._in_memory += size
        return True

    def paged(self, place: Place, index: int, size: int) -> bytes:
        """What stands for a body in the log. To the engine it is a body as any other: it has a length.

        An empty one needs nothing of the log, and nobody would see by `paged_bytes` that it has to be read.
        """
        return cast(bytes, Paged(self, place, index, size)) if size else b""

    def filled(self, message: Message, read: Read) -> Message:
        """The message with its body: the same object when it has it. Raises StoreUnavailable for a damaged record."""
        body: object = message.body
        if not isinstance(body, Paged):
            return message
        return msgspec.structs.replace(message, body=self._bodies_at(body.place, read)[body.index])

    def _bodies_at(self, place: Place, read: Read) -> Sequence[bytes]:
        last = self._last
        if last is not None and last[0] == place:
            return last[1]
        payload = self.unwritten.get(place)
        if payload is None:
            try:
                record = read(place)
            except OSError as error:
                raise StoreUnavailable(f"the body at {_text(place)} cannot be read: {error.strerror}") from error
            if record is None:
                raise StoreUnavailable(f"the body at {_text(place)} is damaged")
            payload = record.payload
        command = decode(payload)
        if isinstance(command, Send):
            found = command.bodies
        elif isinstance(command, SendAll):
            found = [fields[0] for fields in command.messages]
        else:
            raise StoreUnavailable(f"there is no body at {_text(place)}")
        self._last = place, found
        return found


def _text(place: Place) -> str:
    return f"byte {place.offset} of segment {place.segment}"

"""How long a client may take for what. Looked at once a second."""

from typing import NamedTuple

from websockets.frames import CloseCode

HANDSHAKE_S = 10
"""Seconds a client may take for its handshake."""
ARRIVE_S = 30
"""Seconds a message may take to arrive."""
READ_S = 30
"""Seconds a client may leave what was sent unread before it is disconnected."""
PING_S = 20
"""Seconds of silence after which the client is asked whether it is there."""
PONG_S = 20
"""Seconds it then has to show that it is."""
CLOSE_S = 5
"""Seconds a client has to answer a close."""


class Late(NamedTuple):
    """What to close a connection with, because its client took too long."""

    code: int
    reason: str


TOO_SLOW = Late(CloseCode.POLICY_VIOLATION, f"a message must arrive within {ARRIVE_S} s")
NOT_READING = Late(CloseCode.POLICY_VIOLATION, f"what is sent must be read within {READ_S} s")
SILENT = Late(CloseCode.INTERNAL_ERROR, f"no answer to a ping within {PONG_S} s")


class Pace:
    """What one client is to do by when. Times are seconds of the loop's clock, 0 for none."""

    def __init__(self, now: float) -> None:
        self.heard = False
        """Whether anything came since the last look."""
        self.unread_since = 0.0
        """Since when the client has been leaving too much unread."""
        self._handshake_by = now + HANDSHAKE_S
        self._close_by = 0.0
        self._silent_since = now
        self._pinged = False
        self._arriving_since = 0.0

    @property
    def closing(self) -> bool:
        """Whether a close was sent."""
        return self._close_by > 0

    def close(self, now: float) -> None:
        """A close is sent."""
        self._close_by = now + CLOSE_S

    def message_ended(self) -> None:
        """A message is complete."""
        self._arriving_since = 0.0

    def over(self, now: float, open_: bool) -> bool:
        """Whether there is nothing to wait for any more; `open_` once the handshake is done."""
        if self._close_by:
            return now > self._close_by
        return not open_ and now > self._handshake_by

    def late(self, now: float, reading: bool, arriving: bool) -> Late | None:
        """What the client failed to do. `reading`: we do; else it is not the client who keeps us waiting."""
        if self.unread_since:
            return NOT_READING if now - self.unread_since > READ_S else None
        if not reading:
            self._arriving_since = 0.0
            self.heard = True
        elif not arriving:
            self._arriving_since = 0.0
        elif not self._arriving_since:
            self._arriving_since = now
        elif now - self._arriving_since > ARRIVE_S:
            return TOO_SLOW
        return SILENT if self._silence(now) > PING_S + PONG_S else None

    def _silence(self, now: float) -> float:
        if self.heard:
            self.heard = self._pinged = False
            self._silent_since = now
        return now - self._silent_since

    def ping_due(self, now: float) -> bool:
        """Whether to ask now if the client is there. True once for each silence."""
        due = not self._pinged and now - self._silent_since > PING_S
        self._pinged = self._pinged or due
        return due

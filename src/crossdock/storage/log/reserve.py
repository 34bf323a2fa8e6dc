"""Room in the log that is kept free: on a full disk what was accepted can still be handed out and acked (F16)."""

from collections.abc import Callable

ANSWER_BYTES = 64
"""Room for the record of an answer to one message, beside the names in it."""
MESSAGE_BYTES = 128 + ANSWER_BYTES
"""Of a hand-out and an answer, beside the names."""
_COUNTS = 4_096
"""The estimate is checked against the engine after so many messages."""


class Reserve:
    """How much must stay free. Grows with each send; what was settled is noticed from time to time."""

    __slots__ = ("_answer_bytes", "_census", "_message_bytes", "_uncounted", "for_all", "for_answers")

    def __init__(self, census: Callable[[], tuple[int, int, int]]) -> None:
        self._census = census
        self._uncounted = self._answer_bytes = self._message_bytes = 0
        self.for_answers = 0
        """To stay free when something but a send or an answer is done: answers to all that is waiting."""
        self.for_all = 0
        """To stay free when something new is accepted: a hand-out and an answer of all that is waiting."""
        self.count()

    def of(self, messages: int) -> int:
        """What so many messages need that are to be accepted."""
        return messages * self._message_bytes

    def sent(self, messages: int) -> None:
        """Messages were accepted, each counted for each group that gets it."""
        self.for_answers += messages * self._answer_bytes
        self.for_all += messages * self._message_bytes
        self._uncounted += messages
        if self._uncounted >= _COUNTS:
            self.count()

    def count(self) -> None:
        """Ask the engine how many are waiting, and how long the names are."""
        waiting, _, names = self._census()
        self._answer_bytes, self._message_bytes = ANSWER_BYTES + names, MESSAGE_BYTES + 2 * names
        self.for_answers, self.for_all = waiting * self._answer_bytes, waiting * self._message_bytes
        self._uncounted = 0

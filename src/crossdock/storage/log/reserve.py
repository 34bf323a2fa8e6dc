"""Room in the log that is kept free: on a full disk what was accepted can still be handed out and acked (F16)."""

from collections.abc import Callable

ANSWER_BYTES = 96
"""Room for the record of an answer to one message, with names of usual length; and so below."""
MESSAGE_BYTES = 128 + ANSWER_BYTES
"""Of a hand-out and an answer."""
_COUNTS = 4_096
"""The estimate is checked against the engine after so many messages."""


class Reserve:
    """How much must stay free. Grows with each send; what was settled is noticed from time to time."""

    __slots__ = ("_census", "_uncounted", "for_all", "for_answers")

    def __init__(self, census: Callable[[], tuple[int, int]]) -> None:
        self._census = census
        self._uncounted = 0
        self.for_answers = 0
        """To stay free when something but a send or an answer is done: answers to all that is waiting."""
        self.for_all = 0
        """To stay free when something new is accepted: a hand-out and an answer of all that is waiting."""
        self.count()

    def sent(self, messages: int) -> None:
        """Messages were accepted."""
        self.for_answers += messages * ANSWER_BYTES
        self.for_all += messages * MESSAGE_BYTES
        self._uncounted += messages
        if self._uncounted >= _COUNTS:
            self.count()

    def count(self) -> None:
        """Ask the engine how many are waiting."""
        waiting, _ = self._census()
        self.for_answers, self.for_all = waiting * ANSWER_BYTES, waiting * MESSAGE_BYTES
        self._uncounted = 0

"""Recurring schedules: a cron expression, and the message that each of its ticks sends."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from crossdock.core.durations import format_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BODY_BYTES_MAX, DEFAULT_DEDUP_WINDOW_MS, check_key, check_name
from crossdock.core.model import Message, Settings

from .bodies import Body, encode

TICK = "x-tick"
"""Header of the tick's message: when it fell due, in ISO 8601 and UTC."""
WINDOW_MS_MIN = 300_000
"""Shortest dedup window of a queue with schedules: half of it is for late ticks, half for clocks that differ."""

_FIELDS = 5
_EXPRESSION_CHARS_MAX = 100


class Schedule:
    """What to send to which queue, and when. Ticks are ms since the epoch, and the same in every process.

    Every process sends the message of a tick, with one dedup id; the store keeps the first.
    """

    def __init__(self, expression: str, queue: str, body: Body, timezone: str, name: str) -> None:
        if not isinstance(expression, str) or len(expression) > _EXPRESSION_CHARS_MAX:
            raise InvalidArgument(
                "expression", expression, f"must be text of at most {_EXPRESSION_CHARS_MAX} characters"
            )
        self.expression = " ".join(expression.split())
        self.queue = check_name("queue", queue)
        self._zone = _zone(timezone)
        self.name = check_key("name", name or f"{self.expression} {timezone}")
        check_key("name", self.dedup_id(0))
        self._body = encode(body)
        if len(self._body) > BODY_BYTES_MAX:
            raise InvalidArgument("body", f"{len(self._body)} bytes", f"must have at most {BODY_BYTES_MAX} bytes")
        if self.expression.count(" ") != _FIELDS - 1:
            raise InvalidArgument("expression", expression, f"must have {_FIELDS} fields, as in '0 9 * * MON-FRI'")
        try:
            self.next_after(0)
        except CronSimError as error:
            raise InvalidArgument("expression", expression, f"must be a cron expression ({error})") from error

    def next_after(self, now: int) -> int:
        """The first tick later than `now`. Raises InvalidArgument where there is none in 50 years."""
        for tick in CronSim(self.expression, datetime.fromtimestamp(now / 1000, self._zone)):
            at = int(tick.timestamp()) * 1000
            if at > now:  # In an hour that the clocks repeat, the first ones found may be those of its first time.
                return at
        raise InvalidArgument("expression", self.expression, "must match a time of the next 50 years")

    def message(self, tick: int) -> Message:
        """What the tick sends."""
        return Message(self._body, {TICK: tick_text(tick)}, dedup_id=self.dedup_id(tick))

    def dedup_id(self, tick: int) -> str:
        """One for each tick of the schedule."""
        return f"tick {tick_text(tick)} {self.name}"

    def lateness(self, settings: Settings) -> int:
        """How late (ms) a tick may be sent to a queue of these settings. Raises InvalidArgument for a short window.

        Later, its dedup id may be forgotten where another process sent it in time, and it would be sent twice.
        """
        window = DEFAULT_DEDUP_WINDOW_MS if settings.dedup_window is None else settings.dedup_window
        if window < WINDOW_MS_MIN:
            rule = f"of queue {self.queue!r} must be at least {format_ms(WINDOW_MS_MIN)} for a schedule"
            raise InvalidArgument("dedup_window", format_ms(window), rule)
        return window // 2


def tick_text(tick: int) -> str:
    """A tick in ISO 8601 and UTC."""
    return datetime.fromtimestamp(tick / 1000, UTC).isoformat()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError, AttributeError) as error:
        raise InvalidArgument("timezone", name, "must be a time zone that this machine knows") from error

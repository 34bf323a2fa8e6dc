"""When a schedule's ticks are, as plain calculation: zones, clock changes, bad expressions."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import pytest

from crossdock import InvalidArgument, Worker
from crossdock.client.schedule import WINDOW_MS_MIN, Schedule, tick_text
from crossdock.core.model import Settings


def schedule(expression: str, timezone: str = "UTC", queue: str = "q", body: Any = None, name: str = "") -> Schedule:
    return Schedule(expression, queue, body, timezone, name)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def ticks(found: Schedule, after: str) -> Iterator[str]:
    """Its ticks from a time on, in UTC."""
    now = ms(after)
    while True:
        now = found.next_after(now)
        yield tick_text(now).removesuffix(":00+00:00")


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "expected"),
    [
        ("0 9 * * *", "UTC", "2026-11-24T09:00:00Z", ["2026-11-25T09:00", "2026-11-26T09:00"]),
        ("0 9 * * *", "UTC", "2026-11-24T08:59:59.999Z", ["2026-11-24T09:00", "2026-11-25T09:00"]),
        ("0 9 * * MON-FRI", "Asia/Tokyo", "2026-11-27T00:00:00Z", ["2026-11-30T00:00", "2026-12-01T00:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("*/20  *  * * *", "UTC", "2026-11-24T09:00:01Z", ["2026-11-24T09:20", "2026-11-24T09:40"]),
        # The night that has no 02:30: at its end, once.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # The night with two of them: the first time.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", ["2026-10-26T01:30"]),
        # Every half hour goes on through it.
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:29:00Z", ["2026-10-25T00:30", "2026-10-25T01:00"]),
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:00:00Z", ["2026-10-25T01:30", "2026-10-25T02:00"]),
    ],
)
def test_ticks(expression: str, timezone: str, after: str, expected: list[str]) -> None:
    assert list(islice(ticks(schedule(expression, timezone), after), len(expected))) == expected


def test_ticks_are_the_same_wherever_one_begins() -> None:
    """Processes that started at different times must agree on every tick."""
    for expression in ("30 2 * * *", "*/7 1-3 * * *", "15 */2 * * *"):
        found = schedule(expression, "Europe/Berlin")
        for day in ("2026-03-28", "2026-10-24"):
            expected = list(islice(ticks(found, f"{day}T12:00:00Z"), 60))
            for hour in range(13, 24):
                after = f"{day}T{hour}:34:56Z"
                assert list(islice(ticks(found, after), 5)) == [each for each in expected if each > after[:16]][:5]


def test_message_of_a_tick() -> None:
    found = schedule("0 9 * * *", "Europe/Berlin", body={"report": "daily"})
    tick = ms("2026-11-24T08:00:00Z")
    message = found.message(tick)
    assert (message.body, message.headers) == (b'{"report":"daily"}', {"x-tick": "2026-11-24T08:00:00+00:00"})
    assert message.dedup_id == "tick 2026-11-24T08:00:00+00:00 0 9 * * * Europe/Berlin"
    assert schedule("0 9 * * *", name="daily").message(tick).dedup_id == "tick 2026-11-24T08:00:00+00:00 daily"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"expression": ""}, "expression must have 5 fields"),
        ({"expression": "0 0 9 * * *"}, "expression must have 5 fields"),
        ({"expression": "@daily"}, "expression must have 5 fields"),
        ({"expression": "61 * * * *"}, r"expression must be a cron expression \(Bad minute\), got '61 "),
        ({"expression": "* * * * ²L"}, r"expression must be a cron expression \(Bad day-of-week\)"),
        ({"expression": "0 0 30 2 *"}, "expression must be a cron expression"),
        ({"expression": "0 0 */30 2 MON#5"}, "expression must match a time of the next 50 years"),
        ({"expression": "*" * 101}, "expression must be text of at most 100 characters"),
        ({"expression": 5}, "expression must be text"),
        ({"timezone": "Mars/Olympus"}, "timezone must be a time zone that this machine knows, got 'Mars/Olympus'"),
        ({"timezone": "../etc/passwd"}, "timezone must be"),
        ({"timezone": "Europe"}, "timezone must be"),
        ({"timezone": ""}, "timezone must be"),
        ({"timezone": None}, "timezone must be"),
        ({"queue": "a b"}, "queue must be"),
        ({"body": object()}, "body must be bytes, text or JSON"),
        ({"body": b"x" * (1024 * 1024 + 1)}, "body must have at most 1048576 bytes, got '1048577 bytes'"),
        ({"name": "a\nb"}, "name must be 1 to 256 printable characters"),
        ({"name": "x" * 240}, "name must be 1 to 256 printable characters"),
    ],
)
def test_schedule_that_cannot_be_kept_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidArgument, match=told):
        Worker("memory://").cron(**({"expression": "0 9 * * *", "queue": "q", "body": None} | options))


def test_schedules_of_a_queue_have_different_names() -> None:
    worker = Worker("memory://")
    worker.cron("0 9 * * *", "reports", "a")
    worker.cron("0 9 * * *", "reports", "b", timezone="Europe/Berlin")
    worker.cron("0 9 * * *", "mails", "b")
    worker.cron("0 9 * * *", "reports", "c", name="another")
    with pytest.raises(InvalidArgument, match="name must differ from other schedules of queue 'reports'"):
        worker.cron("0  9 * * *", "reports", "d")


def test_window_bounds_how_late_a_tick_is_sent() -> None:
    found = schedule("0 9 * * *")
    assert found.lateness(Settings()) == 1_800_000
    assert found.lateness(Settings(dedup_window=WINDOW_MS_MIN)) == WINDOW_MS_MIN // 2
    with pytest.raises(InvalidArgument, match="dedup_window of queue 'q' must be at least 5m for a schedule"):
        found.lateness(Settings(dedup_window=WINDOW_MS_MIN - 1))

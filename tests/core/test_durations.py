"""Durations: Go's notation and numbers of seconds in, whole milliseconds out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.core.durations import format_ms, parse_duration, to_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import TTL_MS_MAX

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0", 0),
        ("0s", 0),
        ("0h0m0s", 0),
        ("1ns", 1),
        ("1us", 1),
        ("1µs", 1),
        ("1μs", 1),
        ("999us", 1),
        ("1500us", 2),
        ("300ms", 300),
        ("1.5ms", 2),
        ("5s", 5_000),
        ("5.s", 5_000),
        (".5s", 500),
        ("1.5s", 1_500),
        ("00005s", 5_000),
        ("1m", 60_000),
        ("1m30s", 90_000),
        ("1m0.5s", 60_500),
        ("30s1m", 90_000),
        ("1s1s", 2_000),
        ("1.5h", HOUR * 3 // 2),
        ("1h1m1s1ms", HOUR + 61_001),
        ("2d", 48 * HOUR),
        ("1d12h", 36 * HOUR),
        ("0.0000001h", 1),
    ],
)
def test_go_notation_is_read(text: str, ms: int) -> None:
    assert parse_duration("wait", text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "00",
        "s",
        ".s",
        "5 s",
        " 5s",
        "5s ",
        "5s\n",
        "-5s",
        "+5s",
        "5S",
        "5sec",
        "5s5",
        "1.2.3s",
        "1e3s",
        "0x5s",
        "nan",
        "infs",
        "1_000s",
        "1,5s",
        "\u0665s",
        "\uff15s",
        "5s\0",
        "1w",
        "1" * 64 + "s",
        "1s" * 40,
    ],
)
def test_other_text_is_refused_with_field_and_value(text: str) -> None:
    with pytest.raises(InvalidArgument, match="lease must be a duration") as caught:
        parse_duration("lease", text)
    assert (caught.value.field, caught.value.value) == ("lease", text)


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (0, 0),
        (0.0, 0),
        (5, 5_000),
        (0.25, 250),
        (0.0001, 1),
        (1e-12, 1),
        (timedelta(minutes=1, milliseconds=5), 60_005),
        (timedelta(0), 0),
        (timedelta(days=366), 366 * 24 * HOUR),
        ("1m30s", 90_000),
    ],
)
def test_every_form_comes_out_as_milliseconds(value: float | str | timedelta, ms: int) -> None:
    assert to_ms("delay", value) == ms


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        timedelta(seconds=-1),
        float("nan"),
        float("inf"),
        float("-inf"),
        1e306,
        10**400,
        True,
        False,
        None,
        b"5s",
        [],
        5j,
        object(),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument, match="ttl must be a duration") as caught:
        to_ms("ttl", value)  # type: ignore[arg-type]
    assert caught.value.field == "ttl"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (999, "999ms"),
        (1_000, "1s"),
        (1_500, "1.5s"),
        (59_999, "59.999s"),
        (60_000, "1m"),
        (90_000, "1m30s"),
        (HOUR, "1h"),
        (HOUR + 1, "1h0.001s"),
        (36 * HOUR, "36h"),
    ],
)
def test_shortest_form_is_written(ms: int, text: str) -> None:
    assert format_ms(ms) == text


@given(st.integers(0, TTL_MS_MAX))
def test_what_is_written_is_read_back(ms: int) -> None:
    assert parse_duration("wait", format_ms(ms)) == ms


@given(st.integers(0, 2**31))
def test_seconds_and_timedeltas_keep_the_millisecond(ms: int) -> None:
    assert to_ms("wait", ms / 1000) == ms
    assert to_ms("wait", timedelta(milliseconds=ms)) == ms


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        ms = parse_duration("wait", text)
    except InvalidArgument:
        return
    assert ms >= 0

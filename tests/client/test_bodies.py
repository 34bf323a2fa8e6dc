"""What a program may send: bodies, times and options in every form, and a clear word for all others."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock import InvalidArgument, Message
from crossdock.client.bodies import encode, many_to_core
from crossdock.core import model

CYCLE: list[object] = []
CYCLE.append(CYCLE)


class Label(str):
    """Text of a subclass."""


class Packed(bytes):
    """Bytes of a subclass."""


class Order(msgspec.Struct):
    number: int


def made(body: object = b"x", **options: Any) -> model.Message:
    (message,) = many_to_core([Message(body, **options)])
    return message


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        (Packed(b"x"), b"x"),
        (bytearray(b"x"), b"x"),
        pytest.param(memoryview(b"abc")[::2], b"ac", id="memoryview"),
        ("", b""),
        ("grüße", "grüße".encode()),
        (Label("x"), b"x"),
        ({"order": 42}, b'{"order":42}'),
        ([1, 2.5, None, True, "x"], b'[1,2.5,null,true,"x"]'),
        (None, b"null"),
        (0, b"0"),
        (False, b"false"),
        (Order(7), b'{"number":7}'),
        (datetime(2026, 1, 2, tzinfo=UTC), b'"2026-01-02T00:00:00Z"'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bytes_go_as_they_are_text_as_utf8_and_the_rest_as_json(body: object, sent: bytes) -> None:
    assert encode(body) == sent
    assert type(encode(body)) is bytes
    assert many_to_core([body])[0].body == sent
    assert made(body).body == sent


@pytest.mark.parametrize(
    "body",
    [object(), CYCLE, {(1, 2): 3}, "\ud800", {"a": "\ud800"}, lambda: None, (x for x in ()), {"deep": object()}],
    ids=lambda body: type(body).__name__,
)
def test_what_cannot_be_carried_is_refused(body: object) -> None:
    with pytest.raises(InvalidArgument, match="body must be bytes, text or JSON") as caught:
        encode(body)
    assert caught.value.field == "body"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_json_comes_back_as_it_went(body: object) -> None:
    if not isinstance(body, str):
        assert msgspec.json.decode(encode(body)) == body


@pytest.mark.parametrize("delay", [90, 90.0, timedelta(seconds=90), "1m30s", "90s"], ids=str)
def test_durations_in_every_form(delay: Any) -> None:
    message = made(delay=delay, ttl=delay)
    assert (message.delay, message.ttl) == (90_000, 90_000)


@pytest.mark.parametrize(
    ("at", "ms"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), 1_767_225_600_000),
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1_767_225_600_000),
        (datetime(2026, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC), 1_767_225_600_001),
        (datetime(1900, 1, 1, tzinfo=UTC), 1),
    ],
)
def test_an_absolute_time(at: datetime, ms: int) -> None:
    assert made(at=at).deliver_at == ms


def test_a_naive_time_is_local_time() -> None:
    at = datetime(2026, 7, 1, 12)
    assert made(at=at).deliver_at == round(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delay": "5s", "at": datetime(2026, 1, 1)}, "at cannot be combined with delay"),
        ({"delay": 0, "at": datetime(2026, 1, 1)}, "at cannot be combined with delay"),
        ({"delay": -1}, "delay must be a duration"),
        ({"delay": "soon"}, "delay must be a duration"),
        ({"ttl": 0}, "ttl must be longer than 0"),
        ({"ttl": "0s"}, "ttl must be longer than 0"),
        ({"ttl": "-1s"}, "ttl must be a duration"),
        ({"at": 1_767_225_600}, "at must be a datetime"),
        ({"at": "2026-01-01"}, "at must be a datetime"),
        ({"at": datetime.min}, "at must be a time that this machine knows"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_times_that_make_no_sense(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        made(**options)


def test_options_arrive() -> None:
    message = made(b"x", priority=-3, dedup_id="d", ordering_key="k", headers={"a": "b"})
    assert (message.priority, message.dedup_id, message.ordering_key, message.headers) == (-3, "d", "k", {"a": "b"})


def test_a_message_shows_its_size_and_not_its_body() -> None:
    assert repr(Message({"password": "secret"})) == "<Message of 21 bytes>"

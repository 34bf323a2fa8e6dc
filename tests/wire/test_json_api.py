"""The JSON API's types: what goes through them comes out as it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import Decoder, decode, encode

from crossdock.core.errors import InvalidArgument
from crossdock.core.model import Delivery, Message, Peeked, QueueStats, Settings, Totals
from crossdock.wire import json_api as api
from crossdock.wire import json_api_looking as looking
from crossdock.wire import json_api_queues as queues
from crossdock.wire.json_api_bodies import JSON_DEPTH_MAX, Malformed, body_of, check_depth, is_json, payload_of
from crossdock.wire.json_api_bodies import decode as decode_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="replace")))
def test_body_travels_unchanged(body: bytes) -> None:
    message = Message(body, id=1, enqueued_at=1)
    told = decode(encode(api.delivered(Delivery(1, 2, 3, message, 1, 5))), type=api.Delivered)
    assert body_of(told.payload, told.encoding) == body


@given(JSON)
def test_every_json_body_is_shown_as_json(value: object) -> None:
    body = json.dumps(value).encode()
    assert is_json(body)
    assert payload_of(body)[1] is None


@given(st.integers(1, 300), st.sampled_from(["[%s]", '{"a":%s}', '["[{",%s]', '[%s,"\\"}]"]']))
def test_depth_is_bounded(depth: int, layer: str) -> None:
    text = "1"
    for _ in range(depth):
        text = layer % text
    if depth <= JSON_DEPTH_MAX:
        check_depth(text.encode())
    else:
        with pytest.raises(Malformed, match="must not nest deeper than 128 levels"):
            check_depth(text.encode())


def test_brackets_in_text_are_no_depth() -> None:
    check_depth(json.dumps(["[{" * 1000, '\\"[' * 1000]).encode())


@pytest.mark.parametrize("wide", [b"[" + b"[]," * 5000 + b"[]]", b"[" + b'{"a":[1]},' * 5000 + b"1]"])
def test_width_is_no_depth(wide: bytes) -> None:
    check_depth(wide)


@pytest.mark.parametrize(
    ("request_text", "error"),
    [
        (b'{"message":1,"priority":"x"}', "priority must be a whole number, got text"),
        (b'{"message":1,"delay":[]}', "delay must be a whole number or a number or text, got an array"),
        (b"[]", "body must be an object, got an array"),
        (b"{}", "message is required"),
        (b'{"message":1,"x":1}', "x is not a field of this request"),
        (b'{"message":1,"' + b"x" * 500 + b'":1}', "x" * 80 + "... is not a field of this request"),
        (b'{"message":1,"priority":1e400}', "priority is not what this request takes"),
    ],
)
def test_error_names_the_field(request_text: bytes, error: str) -> None:
    with pytest.raises(Malformed) as caught:
        decode_request(Decoder(api.Enqueue), request_text)
    assert str(caught.value) == error


def test_message_of_a_request() -> None:
    request = api.Enqueue(Raw(b"[1]"), None, "1m30s", "d", 3, 2.5, "k", {"h": "v"})
    expected = Message(b"[1]", {"h": "v"}, 3, 90_000, 2500, "d", "k")
    assert api.message_of(request) == expected


@pytest.mark.parametrize("text", ["", "x", "2.1.1", "1.1", "1.1.1.1"])
def test_receipt_of_another_message_is_none(text: str) -> None:
    assert api.receipt_of(api.ReceiptRef(1, text)) is None


def test_receipt_of_a_delivery() -> None:
    delivery = Delivery(255, 2, 3, Message(b"1", id=255), 1, 5)
    told = api.delivered(delivery)
    receipt = api.receipt_of(api.ReceiptRef(255, told.receipt))
    assert receipt is not None
    assert (receipt.id, receipt.epoch, receipt.generation) == (255, 2, 3)


SETTINGS = st.builds(
    Settings,
    kind=st.sampled_from(["queue", "topic"]),
    lease=st.none() | st.integers(1, 43_200_000),
    max_attempts=st.none() | st.integers(0, 1_000_000),
    backoff=st.none() | st.integers(0, 86_400_000),
    ttl=st.none() | st.integers(0, 316_224_000_000),
    dead_letter=st.none() | st.just("") | st.just("other"),
    dead_letter_expired=st.booleans(),
    dedup_window=st.none() | st.integers(0, 604_800_000),
    max_messages=st.none() | st.integers(1, 2**53),
    overflow=st.sampled_from(["reject", "drop-oldest"]),
    paused=st.booleans(),
)


@given(SETTINGS)
def test_settings_travel_unchanged(settings: Settings) -> None:
    text = encode(queues.settings_shown(settings))
    assert queues.settings_of(decode(text, type=queues.QueueSettings)) == settings


@given(SETTINGS, SETTINGS)
def test_change_touches_what_it_names(settings: Settings, other: Settings) -> None:
    nothing = decode(b"{}", type=queues.SettingsChange)
    assert queues.changed(settings, nothing) == settings
    some = decode(b'{"paused":true,"lease":null}', type=queues.SettingsChange)
    changed = queues.changed(settings, some)
    assert (changed.paused, changed.lease) == (True, None)
    assert (changed.ttl, changed.kind) == (settings.ttl, settings.kind)


def test_bad_duration_names_its_setting() -> None:
    with pytest.raises(InvalidArgument, match="backoff must be a duration"):
        queues.settings_of(queues.QueueSettings(backoff="soon"))


def test_stats_travel_unchanged() -> None:
    stats = QueueStats("q", Settings(lease=5), 1, 2, 3, 4, 5, 6, 7, {}, Totals(sent=8))
    assert queues.stats_of(decode(encode(queues.stats_shown(stats)), type=queues.Stats)) == stats


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"short", "short"),
        ("é".encode() * 64, "é" * 64),
        ("é".encode() * 65, "é" * 61 + "..."),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_preview_is_the_beginning_as_text(body: bytes, shown: str) -> None:
    seen = looking.preview(Peeked(Message(body, id=1), "ready", 0, 0), "")
    assert decode(seen.payload) == shown


@pytest.mark.parametrize("attempts", ["", "many", "٣", "9" * 5000, "-1"])
def test_headers_of_a_dead_letter_may_say_anything(attempts: str) -> None:
    letter = looking.dead_letter(Message(b"1", {"x-attempts": attempts}, id=1), "")
    assert letter.attempts == 0

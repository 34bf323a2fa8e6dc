"""Every bound of every verb at its limit, one below and one above (S5), and values of the wrong kind.

What is refused changes nothing: no message is stored, no lease, no queue made.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crossdock.broker import Broker
from crossdock.core import limits
from crossdock.core.errors import InvalidArgument
from crossdock.core.model import Message, Receipt, Settings
from desk import Q, send

Verb = Callable[[Broker, Any], Awaitable[object]]
GONE = Receipt(10**6, 1, 1)
KIB = b"x" * 1024
MIB = b"x" * limits.BODY_BYTES_MAX


def message(**fields: Any) -> Verb:
    """A send of one message, with one field made from the value under test."""
    (name,) = fields
    return lambda broker, value: broker.send(Q, [Message(**{"body": b"x", name: fields[name](value)})])


def setting(name: str) -> Verb:
    return lambda broker, value: broker.update_queue(Q, Settings(**{name: value}))


def same(value: Any) -> Any:
    return value


def text(length: int) -> str:
    return "k" * length


def in_future(ms: int) -> int:
    return ms


# field told in the error, verb, smallest and largest value allowed
RANGES: dict[str, tuple[str, Verb, int, int]] = {
    "send batch": (
        "messages",
        lambda broker, count: broker.send(Q, [Message(b"x") for _ in range(count)]),
        1,
        limits.BATCH_MESSAGES_MAX,
    ),
    "send body": ("body", message(body=lambda size: bytes(size)), 0, limits.BODY_BYTES_MAX),
    "send batch bytes": (
        "messages",
        lambda broker, size: broker.send(Q, [*[Message(MIB)] * 15, Message(MIB[1:]), Message(bytes(size))]),
        0,
        1,
    ),
    "send priority": ("priority", message(priority=same), limits.PRIORITY_MIN, limits.PRIORITY_MAX),
    "send delay": ("delay", message(delay=same), 0, limits.DELAY_MS_MAX),
    "send ttl": ("ttl", message(ttl=same), 0, limits.TTL_MS_MAX),
    "send deliver_at": ("deliver_at", message(deliver_at=same), 0, limits.TIME_MS_MAX),
    "send dedup_id": ("dedup_id", message(dedup_id=text), 1, limits.KEY_CHARS_MAX),
    "send ordering_key": ("ordering_key", message(ordering_key=text), 1, limits.KEY_CHARS_MAX),
    "send headers": (
        "headers",
        message(headers=lambda count: {f"h{n}": "v" for n in range(count)}),
        0,
        limits.HEADERS_MAX,
    ),
    "send header name": (
        "headers",
        message(headers=lambda size: {text(size): "v"}),
        1,
        limits.HEADER_NAME_CHARS_MAX,
    ),
    "send header bytes": (
        "headers",
        message(headers=lambda size: {"h": text(size)}),
        0,
        limits.HEADERS_BYTES_MAX - 1,
    ),
    "receive group": ("group", lambda broker, size: broker.receive(Q, text(size)), 1, limits.NAME_CHARS_MAX),
    "receive limit": ("limit", lambda broker, count: broker.receive(Q, limit=count), 1, limits.BATCH_MESSAGES_MAX),
    "receive lease": ("lease", lambda broker, ms: broker.receive(Q, lease=ms), 0, limits.LEASE_MS_MAX),
    "receive consumer": (
        "consumer_id",
        lambda broker, size: broker.receive(Q, consumer=text(size)),
        0,
        limits.KEY_CHARS_MAX,
    ),
    "ack batch": ("receipts", lambda broker, count: broker.ack(Q, "g", [GONE] * count), 1, limits.BATCH_MESSAGES_MAX),
    "nack batch": ("receipts", lambda broker, count: broker.nack(Q, "g", [GONE] * count), 1, limits.BATCH_MESSAGES_MAX),
    "reject batch": (
        "receipts",
        lambda broker, count: broker.reject(Q, "g", [GONE] * count),
        1,
        limits.BATCH_MESSAGES_MAX,
    ),
    "extend batch": (
        "receipts",
        lambda broker, count: broker.extend(Q, "g", [GONE] * count, 1_000),
        1,
        limits.BATCH_MESSAGES_MAX,
    ),
    "nack delay": ("delay", lambda broker, ms: broker.nack(Q, "g", [GONE], ms), 0, limits.DELAY_MS_MAX),
    "extend lease": (
        "lease",
        lambda broker, ms: broker.extend(Q, "g", [GONE], ms),
        limits.LEASE_MS_MIN,
        limits.LEASE_MS_MAX,
    ),
    "create name": (
        "queue",
        lambda broker, size: broker.create_queue(("default", text(size))),
        1,
        limits.NAME_CHARS_MAX,
    ),
    "create namespace": (
        "namespace",
        lambda broker, size: broker.create_queue((text(size), "q")),
        1,
        limits.NAME_CHARS_MAX,
    ),
    "create group": ("group", lambda broker, size: broker.create_group(Q, text(size)), 1, limits.NAME_CHARS_MAX),
    "settings lease": ("lease", setting("lease"), limits.LEASE_MS_MIN, limits.LEASE_MS_MAX),
    "settings max_attempts": ("max_attempts", setting("max_attempts"), 0, limits.ATTEMPTS_MAX),
    "settings backoff": ("backoff", setting("backoff"), 0, limits.BACKOFF_MS_MAX),
    "settings ttl": ("ttl", setting("ttl"), 0, limits.TTL_MS_MAX),
    "settings dedup_window": ("dedup_window", setting("dedup_window"), 0, limits.DEDUP_WINDOW_MS_MAX),
    "settings max_messages": ("max_messages", setting("max_messages"), 1, 2**53),
    "settings max_bytes": ("max_bytes", setting("max_bytes"), 1, 2**53),
    "settings dead_letter": (
        "dead_letter",
        lambda broker, size: broker.update_queue(Q, Settings(dead_letter=text(size))),
        0,
        limits.NAME_CHARS_MAX,
    ),
    "peek limit": ("limit", lambda broker, count: broker.peek(Q, limit=count), 1, limits.PEEK_MESSAGES_MAX),
    "peek group": ("group", lambda broker, size: broker.peek(Q, text(size)), 1, limits.NAME_CHARS_MAX),
    "browse limit": ("limit", lambda broker, count: broker.browse(Q, limit=count), 1, limits.PEEK_MESSAGES_MAX),
    "browse after": ("after", lambda broker, after: broker.browse(Q, after=after), 0, 2**63 - 1),
    "browse group": ("group", lambda broker, size: broker.browse(Q, text(size)), 1, limits.NAME_CHARS_MAX),
    "delete batch": (
        "message_ids",
        lambda broker, count: broker.delete_messages(Q, [10**6] * count),
        0,
        limits.BATCH_MESSAGES_MAX,
    ),
    "delete id": ("message_ids", lambda broker, number: broker.delete_messages(Q, [number]), 1, 2**63 - 1),
    "redrive batch": (
        "message_ids",
        lambda broker, count: broker.redrive(Q, [10**6] * count),
        0,
        limits.BATCH_MESSAGES_MAX,
    ),
    "redrive id": ("message_ids", lambda broker, number: broker.redrive(Q, [number]), 1, 2**63 - 1),
}
INSIDE = [(name, value) for name, (_, _, low, high) in RANGES.items() for value in {low, low + 1, high - 1, high}]
OUTSIDE = [(name, high + 1) for name, (_, _, _, high) in RANGES.items()]
OUTSIDE += [
    (name, low - 1)
    for name, (_, _, low, _) in RANGES.items()
    if low == 1 or name in {"send priority", "send delay", "send ttl", "receive lease", "nack delay", "browse after"}
]


@pytest.mark.parametrize(("name", "value"), sorted(INSIDE), ids=str)
async def test_what_is_within_the_bound_passes(broker: Broker, name: str, value: int) -> None:
    await RANGES[name][1](broker, value)


@pytest.mark.parametrize(("name", "value"), sorted(OUTSIDE), ids=str)
async def test_what_is_beyond_the_bound_is_refused_and_changes_nothing(broker: Broker, name: str, value: int) -> None:
    field, verb, _, _ = RANGES[name]
    before = await broker.stats(Q), await broker.queues("default")
    with pytest.raises(InvalidArgument) as caught:
        await verb(broker, value)
    assert caught.value.field == field
    assert str(caught.value).startswith(field)
    assert (await broker.stats(Q), await broker.queues("default")) == before


@pytest.mark.parametrize("wait", [1, limits.WAIT_MS_MAX])
async def test_the_longest_wait_is_bounded(broker: Broker, wait: int) -> None:
    await send(broker, "a")
    assert len(await broker.receive(Q, wait=wait)) == 1
    with pytest.raises(InvalidArgument, match="wait must be a whole number from 0 to 3600000 ms, got"):
        await broker.receive(Q, wait=limits.WAIT_MS_MAX + 1)
    with pytest.raises(InvalidArgument, match="wait must be a whole number"):
        await broker.receive(Q, wait=-1)


WRONG: dict[str, tuple[str, Verb, list[object]]] = {
    "body": ("body", message(body=same), ["text", None, bytearray(b"x"), 5]),
    "priority": ("priority", message(priority=same), [None, 0.0, 1.5, False, True, "1"]),
    "delay": ("delay", message(delay=same), [None, 0.0, 1.5, False, "5s"]),
    "ttl": ("ttl", message(ttl=same), [None, 0.0, True]),
    "deliver_at": ("deliver_at", message(deliver_at=same), [None, 0.0, "now"]),
    "dedup_id": ("dedup_id", message(dedup_id=same), [5, b"x", "", "a\nb", "\ud800"]),
    "ordering_key": ("ordering_key", message(ordering_key=same), [5, "", "\x00"]),
    "headers": (
        "headers",
        message(headers=same),
        [[], "x", {"a": 1}, {1: "a"}, {"": "a"}, {"a\n": "b"}, {"a": "\ud800"}, {"a": None}],
    ),
    "group": ("group", lambda broker, value: broker.receive(Q, value), [None, 5, "", "a b", "-g"]),
    "limit": ("limit", lambda broker, value: broker.receive(Q, limit=value), [None, 1.5, 1.0, True, "1"]),
    "lease": ("lease", lambda broker, value: broker.receive(Q, lease=value), [1.5, "5s", True]),
    "consumer": ("consumer_id", lambda broker, value: broker.receive(Q, consumer=value), [None, 5, "a\nb"]),
    "delay of a nack": ("delay", lambda broker, value: broker.nack(Q, "g", [GONE], value), [1.5, "5s", False]),
    "error": ("error", lambda broker, value: broker.nack(Q, "g", [GONE], 0, value), [None, 5, ValueError("x")]),
    "error of a reject": ("error", lambda broker, value: broker.reject(Q, "g", [GONE], value), [None, b"x"]),
    "lease of an extend": ("lease", lambda broker, value: broker.extend(Q, "g", [GONE], value), [None, 1.5, 0]),
    "kind": ("kind", setting("kind"), ["stack", None, 5]),
    "overflow": ("overflow", setting("overflow"), ["drop-newest", None]),
    "paused": ("paused", setting("paused"), [None, 1, "yes"]),
    "dead_letter_expired": ("dead_letter_expired", setting("dead_letter_expired"), [None, 0]),
    "dead_letter": ("dead_letter", setting("dead_letter"), [0, False, "a b", "q"]),
    "state": ("state", lambda broker, value: broker.browse(Q, state=value), ["dead", "", 5]),
    "message_ids": ("message_ids", lambda broker, value: broker.delete_messages(Q, [value]), [None, "1", 1.0, True]),
    "message_id": ("message_id", lambda broker, value: broker.message(Q, value), [0, -1, 2**63, None, "1", 1.0]),
    "queue": ("queue", lambda broker, value: broker.create_queue(("default", value)), [None, "", "a/b", "*"]),
    "namespace": ("namespace", lambda broker, value: broker.create_queue((value, "q")), [None, "", "*"]),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (_, _, values) in WRONG.items() for value in values], ids=ascii
)
async def test_a_value_of_the_wrong_kind_is_refused(broker: Broker, name: str, value: object) -> None:
    field, verb, _ = WRONG[name]
    before = await broker.stats(Q), await broker.queues("default")
    with pytest.raises(InvalidArgument) as caught:
        await verb(broker, value)
    assert caught.value.field == field
    assert (await broker.stats(Q), await broker.queues("default")) == before


async def test_one_bad_message_keeps_the_batch_out(broker: Broker) -> None:
    with pytest.raises(InvalidArgument, match="priority must be a whole number from -1000 to 1000, got 1001"):
        await broker.send(Q, [Message(b"a"), Message(b"b", priority=1001), Message(b"c")])
    assert (await broker.stats(Q)).stored == 0


async def test_the_text_of_an_error_is_cut_and_cleaned(broker: Broker) -> None:
    await send(broker, "a")
    held = await broker.receive(Q)
    await broker.nack(Q, "default", held, 0, "boom\n\x1b[2J\0" + "x" * 10_000)
    (look,) = await broker.peek(Q)
    assert look.error == "boom\n [2J " + "x" * (limits.ERROR_CHARS_MAX - 10)

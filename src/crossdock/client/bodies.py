"""From what a program passes to `send` to a core message, and back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from crossdock.core import model
from crossdock.core.durations import Duration, to_ms
from crossdock.core.errors import InvalidArgument

Body = Any
"""bytes are sent as they are, text as UTF-8, everything else as JSON."""

_encode_json = msgspec.json.Encoder().encode


class Message:
    """A message to send, for what `send_many` cannot say by a body alone.

    `delay` counts from acceptance, `at` is an absolute time (a naive one is local time); give one of them.
    `ttl`: how long the message may wait to be delivered. Lower `priority` numbers are delivered first.
    """

    __slots__ = ("at", "body", "dedup_id", "delay", "headers", "ordering_key", "priority", "ttl")

    def __init__(
        self,
        body: Body,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        ttl: Duration | None = None,
        priority: int = 0,
        dedup_id: str | None = None,
        ordering_key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.body = body
        self.delay = delay
        self.at = at
        self.ttl = ttl
        self.priority = priority
        self.dedup_id = dedup_id
        self.ordering_key = ordering_key
        self.headers = {} if headers is None else headers

    def __repr__(self) -> str:
        return f"<Message of {len(encode(self.body))} bytes>"


def encode(body: Body) -> bytes:
    """The bytes of a body. Raises InvalidArgument when it is neither bytes, text nor JSON."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    try:
        return body.encode() if isinstance(body, str) else _encode_json(body)
    except (TypeError, UnicodeEncodeError, msgspec.MsgspecError, RecursionError) as error:
        raise InvalidArgument("body", body, f"must be bytes, text or JSON ({error})") from error


def to_core(
    body: Body,
    delay: Duration | None,
    at: datetime | None,
    ttl: Duration | None,
    priority: int,
    dedup_id: str | None,
    ordering_key: str | None,
    headers: dict[str, str] | None,
) -> model.Message:
    """A core message of the arguments of `send`. Raises InvalidArgument."""
    if delay is not None and at is not None:
        raise InvalidArgument("at", at, "cannot be combined with delay")
    content = body if body.__class__ is bytes else encode(body)
    if (
        headers is None
        and delay is None
        and dedup_id is None
        and ordering_key is None
        and ttl is None
        and at is None
        and priority.__class__ is int
        and not priority
    ):
        return model.Plain(content)
    return model.Message(
        content,
        headers,
        priority,
        0 if delay is None else to_ms("delay", delay),
        0 if ttl is None else positive_ms("ttl", ttl),
        dedup_id,
        ordering_key,
        0 if at is None else _instant(at),
    )


def many_to_core(bodies: Iterable[Body]) -> list[model.Message]:
    """Core messages of bodies and `Message` objects."""
    make = model.Plain
    return [make(body) if body.__class__ is bytes else _one_to_core(body) for body in bodies]


def _one_to_core(body: Body) -> model.Message:
    if not isinstance(body, Message):
        return model.Plain(encode(body))
    return to_core(
        body.body, body.delay, body.at, body.ttl, body.priority, body.dedup_id, body.ordering_key, body.headers or None
    )


def positive_ms(field: str, value: Duration) -> int:
    """Milliseconds of a duration that must not be 0. Raises InvalidArgument."""
    ms = to_ms(field, value)
    if ms == 0:
        raise InvalidArgument(field, value, "must be longer than 0")
    return ms


def _instant(at: datetime) -> int:
    if not isinstance(at, datetime):
        raise InvalidArgument("at", at, "must be a datetime")
    try:
        return max(1, round(at.timestamp() * 1000))
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidArgument("at", at, f"must be a time that this machine knows ({error})") from error

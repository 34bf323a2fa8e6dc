"""Message bodies and requests as JSON text: what may come in, how it goes out.

A body that is exactly one JSON value is shown as that value, any other body as base64 text beside
`"encoding": "base64"`. Both ways are exact to the byte: a reader that keeps the value's text has the body back.
"""

import re
from array import array
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from itertools import accumulate
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw

from crossdock.core.errors import InvalidArgument

T = TypeVar("T")
Encoding = Literal["base64"]

JSON_DEPTH_MAX = 128
"""Arrays and objects inside one another, in a message."""

_TOO_DEEP = f"must not nest deeper than {JSON_DEPTH_MAX} levels"
_ANY_JSON = msgspec.json.Decoder(Raw)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""A bracket as a signed byte: one level in, one level out."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Malformed(InvalidArgument):
    """A request that is not what its route takes. The text names the field."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(field, None, rule)

    def __str__(self) -> str:
        return f"{self.field} {self.rule}"


def check_depth(text: bytes) -> None:
    """Raise Malformed when a valid JSON text nests deeper than JSON_DEPTH_MAX."""
    if text.count(b"[") + text.count(b"{") <= JSON_DEPTH_MAX:
        return
    steps = array("b", _STRING.sub(b"", text).translate(_STEPS, _NO_BRACKETS))
    if max(accumulate(steps), default=0) > JSON_DEPTH_MAX:
        raise Malformed("message", _TOO_DEEP)


def decode(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T:
    """Decode a request. Raises Malformed with a sentence that names the field."""
    try:
        if not text.isascii():
            text.decode()
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _reshaped(str(error)) from None
    except UnicodeDecodeError:
        raise Malformed("body", "must be UTF-8") from None
    except RecursionError:
        raise Malformed("body", _TOO_DEEP) from None
    except msgspec.DecodeError:
        raise Malformed("body", "must be valid JSON") from None


def convert(values: dict[str, str], kind: type[T]) -> T:
    """Values of a query string as a request. Raises Malformed."""
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _reshaped(str(error)) from None


def body_of(value: Raw, encoding: Encoding | None) -> bytes:
    """The bytes of a message body as a request gave it."""
    text = bytes(value)
    if encoding is None:
        if len(text) > 2 * JSON_DEPTH_MAX:  # else there is no room for more levels
            check_depth(text)
        return text
    if not text.startswith(b'"'):
        raise Malformed("message", "must be base64 text")
    try:
        return b64decode(msgspec.json.decode(text, type=str), validate=True)
    except (Base64Error, ValueError):
        raise Malformed("message", "must be base64 text") from None


def payload_of(body: bytes) -> tuple[Raw, Encoding | None]:
    """A stored body as a response shows it."""
    return (Raw(body), None) if is_json(body) else (Raw(b'"' + b64encode(body) + b'"'), "base64")


def is_json(body: bytes) -> bool:
    """Whether `body` is exactly one JSON value: UTF-8, no space around it."""
    try:
        if len(_ANY_JSON.decode(body)) != len(body):
            return False
        if not body.isascii():
            body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


_TYPES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
}
_AT = re.compile(r" - at `\$(?P<path>.*)`$")
_REQUIRED = re.compile(r"Object missing required field `(?P<name>.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.+)`", re.DOTALL)
_TYPE = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_BOUND = re.compile(r"Expected `\w+` (?P<bound>[<>]=? \S+)")
_CHOICE = re.compile(r"Invalid (?:enum )?value (?P<value>.+)", re.DOTALL)
_SHOWN_CHARS_MAX = 80


def _reshaped(text: str) -> Malformed:
    """The error of a validation that failed, in our words."""
    at = _AT.search(text)
    path = "" if at is None else at["path"].removeprefix(".").replace("[...]", "")
    text = text if at is None else text[: at.start()]
    if found := _REQUIRED.fullmatch(text):
        return Malformed(_joined(path, found["name"]), "is required")
    if found := _UNKNOWN.fullmatch(text):
        return Malformed(_joined(path, found["name"]), "is not a field of this request")
    field = path or "body"
    if found := _TYPE.fullmatch(text):
        expected = " or ".join(_TYPES.get(name, name) for name in found["expected"].split(" | ") if name != "null")
        return Malformed(field, f"must be {expected}, got {_TYPES.get(found['got'], found['got'])}")
    if found := _BOUND.fullmatch(text):
        return Malformed(field, f"must be {found['bound']}")
    if found := _CHOICE.fullmatch(text):
        return Malformed(field, f"must be one of its choices, got {found['value'][:_SHOWN_CHARS_MAX]}")
    return Malformed(field, "is not what this request takes")


def _joined(path: str, name: str) -> str:
    name = name if len(name) <= _SHOWN_CHARS_MAX else name[:_SHOWN_CHARS_MAX] + "..."
    return f"{path}.{name}" if path else name

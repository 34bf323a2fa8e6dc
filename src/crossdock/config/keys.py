"""Every key of the configuration: name, type, bounds, default. The file, the environment and the flags share them."""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from crossdock.broker.checks import COUNT_MAX
from crossdock.core.durations import format_ms, parse_duration
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import (
    ATTEMPTS_MAX,
    BACKOFF_MS_MAX,
    BODY_BYTES_MAX,
    LEASE_MS_MAX,
    LEASE_MS_MIN,
    TTL_MS_MAX,
    check_range,
)

from .secret import Secret

ENV_PREFIX = "CROSSDOCK_"
PORT_MAX = 65535
RATE_MAX = 1_000_000
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "KIB": 2**10, "MIB": 2**20}
_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")
_SIZE = re.compile(r"([0-9]{1,15}) ?(|B|KB|MB|KiB|MiB)", re.IGNORECASE)


class Text(str):
    """A value that came as text because its source knows nothing else: the environment, a flag, a `$VAR`."""


Read = Callable[[str, object], Any]
"""Makes the value of a key from what a source says. Raises InvalidArgument naming the key."""


class Key(Struct, frozen=True):
    """One key. Its default is written as the file would write it."""

    name: str
    read: Read
    default: object = ""

    @property
    def env(self) -> str:
        """Name of the environment variable that sets it."""
        return ENV_PREFIX + self.name.upper().replace(".", "_").replace("-", "_")


def text(key: str, value: object) -> str:
    """Any text on one line."""
    if not isinstance(value, str) or not (value.isprintable() or value == ""):
        raise InvalidArgument(key, value, "must be printable text")
    return str(value)


def secret(key: str, value: object) -> Secret:
    """Text that is not shown, in an error neither."""
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise InvalidArgument(key, Secret(), "must be printable ASCII text")
    return Secret(str(value))


def switch(key: str, value: object) -> bool:
    """True or false."""
    words = {"true": True, "1": True, "false": False, "0": False}
    if isinstance(value, Text) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise InvalidArgument(key, value, "must be true or false")
    return value


def origins(key: str, value: object) -> tuple[str, ...]:
    """Origins of web pages: a list, or text with commas between them."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list):
        raise InvalidArgument(key, value, "must be a list of origins")
    found = tuple(each.strip() for each in given if isinstance(each, str))
    if found == ("",):
        return ()
    if len(found) < len(given) or not all(map(_ORIGIN.fullmatch, found)):
        raise InvalidArgument(key, value, "must be origins such as https://app.example.com")
    return found


def whole(low: int, high: int) -> Read:
    """A whole number from `low` to `high`."""

    def read(key: str, value: object) -> int:
        if isinstance(value, Text) and value.isascii() and value.isdecimal() and len(value) <= len(str(high)):
            value = int(value)
        return check_range(key, value, low, high)

    return read


def rate(key: str, value: object) -> float:
    """A number above 0, not above RATE_MAX."""
    if isinstance(value, Text):
        try:
            value = float(value)
        except ValueError:
            value = str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= RATE_MAX:
        raise InvalidArgument(key, value, f"must be a number above 0, at most {RATE_MAX}")
    return float(value)


def duration(low: int, high: int) -> Read:
    """A duration in Go's notation from `low` to `high` ms, as ms."""

    def read(key: str, value: object) -> int:
        if not isinstance(value, str):
            raise InvalidArgument(key, value, 'must be a duration such as "300ms" or "1m30s"')
        ms = parse_duration(key, value)
        if not low <= ms <= high:
            raise InvalidArgument(key, str(value), f"must be from {format_ms(low)} to {format_ms(high)}")
        return ms

    return read


def size(low: int, high: int) -> Read:
    """A number of bytes from `low` to `high`: a whole number, or text with a unit such as `64KB` or `1MiB`."""

    def read(key: str, value: object) -> int:
        if isinstance(value, str):
            match = _SIZE.fullmatch(value)
            if match is None:
                raise InvalidArgument(key, str(value), 'must be a size such as 65536, "64KB" or "1MiB"')
            value = int(match[1]) * _BYTES[match[2].upper()]
        return check_range(key, value, low, high, " bytes")

    return read


def one_of(*words: str) -> Read:
    """One of a few words."""

    def read(key: str, value: object) -> str:
        if value not in words:
            raise InvalidArgument(key, value, f"must be one of {', '.join(words)}")
        return str(value)

    return read


KEYS = {
    key.name: key
    for key in (
        Key("persistence.type", one_of("memory", "file"), "memory"),
        Key("persistence.options.dirs-path", text, "./data/persistence"),
        Key("max-retry", whole(0, ATTEMPTS_MAX), 3),
        Key("retry-interval", duration(0, BACKOFF_MS_MAX), "30s"),
        Key("lease-duration", duration(LEASE_MS_MIN, LEASE_MS_MAX), "3s"),
        Key("debug", switch, False),
        Key("http.enabled", switch, True),
        Key("http.port", whole(0, PORT_MAX), 8080),
        Key("http.rate.limit", rate, 1),
        Key("http.rate.burst", whole(1, RATE_MAX), 5),
        Key("http.auth.api_key", secret, "${API_KEY}"),
        Key("grpc.enabled", switch, True),
        Key("grpc.port", whole(0, PORT_MAX), 50051),
        Key("grpc.auth.api_key", secret, "${API_KEY}"),
        # Beyond what the file of the original knows:
        Key("grpc.host", text, "127.0.0.1"),
        Key("ws.enabled", switch, True),
        Key("ws.host", text, "127.0.0.1"),
        Key("ws.port", whole(0, PORT_MAX), 8081),
        Key("ws.origins", origins),
        Key("ws.auth.api_key", secret, "${API_KEY}"),
        Key("store", text),
        Key("http.host", text, "127.0.0.1"),
        Key("tls.cert", text),
        Key("tls.key", text),
        Key("default-ttl", duration(0, TTL_MS_MAX), "0"),
        Key("max-queue-depth", whole(0, COUNT_MAX), 0),
        Key("max-message-size", size(1, BODY_BYTES_MAX), "1MiB"),
        Key("metrics.verbs", switch, False),
        Key("log.level", one_of("debug", "info", "warning", "error"), "info"),
        Key("log.format", one_of("auto", "console", "json"), "auto"),
    )
}

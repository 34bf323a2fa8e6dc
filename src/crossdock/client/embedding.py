"""What a program says of the broker that it embeds, when it connects to a store in its own process."""

import os
from typing import TypedDict

from msgspec import Struct, structs

from crossdock.broker.checks import check_settings
from crossdock.broker.counts import INTERVAL_MS_MAX
from crossdock.core.durations import Duration, to_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import BODY_BYTES_MAX, check_range
from crossdock.core.model import Settings
from crossdock.core.policy import DEFAULTS

from .settings import changes_of


class Defaults(TypedDict, total=False):
    """Settings of queues that have none of their own, see `core.model.Settings`."""

    lease: Duration | None
    max_attempts: int | None
    backoff: Duration | None
    ttl: Duration | None
    dedup_window: Duration | None
    max_messages: int | None
    max_bytes: int | None


class Embedding(Struct, frozen=True):
    """Settings of a broker in this process."""

    defaults: Settings = DEFAULTS
    max_body_bytes: int = BODY_BYTES_MAX
    metrics_interval: int = 0
    """ms; 0: no metrics."""


USUAL = Embedding()


def embedding(
    url: str | None, defaults: Defaults | None, max_body_bytes: int | None, metrics_interval: Duration | None
) -> tuple[str, Embedding]:
    """The URL to connect to, and the settings, from the arguments of `connect`. Raises InvalidArgument."""
    if url is not None and not isinstance(url, str):
        raise InvalidArgument("url", url, "must be text")
    if defaults is not None and not isinstance(defaults, dict):
        raise InvalidArgument("defaults", defaults, "must be a dict")
    if url is not None and is_server(url):
        given = {"defaults": defaults, "max_body_bytes": max_body_bytes, "metrics_interval": metrics_interval}
        for name, value in given.items():
            if value is not None:
                raise InvalidArgument(name, value, "must be left to the server at that URL")
        return url, USUAL
    found = USUAL
    if url is None:
        url, found = _from_environment()
    settings = structs.replace(found.defaults, **changes_of(defaults or {}, Defaults, "defaults"))
    check_settings(settings)
    interval = 0
    if metrics_interval is not None:
        interval = to_ms("metrics_interval", metrics_interval)
        check_range("metrics_interval", interval, 1, INTERVAL_MS_MAX, " ms")
    body = found.max_body_bytes if max_body_bytes is None else max_body_bytes
    return url, Embedding(settings, check_range("max_body_bytes", body, 1, BODY_BYTES_MAX), interval)


def is_server(url: str) -> bool:
    """Whether a URL names a server rather than a store."""
    return url.startswith(("http://", "https://", "grpc://", "grpcs://", "ws://", "wss://"))


def _from_environment() -> tuple[str, Embedding]:
    from crossdock.config import embedded  # noqa: PLC0415 - only who gives no URL needs what reads a configuration

    config = embedded(os.environ)
    return config.store, Embedding(config.queue_defaults, config.max_body_bytes)

"""The environment variables of GoMQ, `GOMQ_...`, as keys of the configuration."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from crossdock.core.errors import InvalidArgument

from .errors import ConfigError
from .keys import PORT_MAX, Text, one_of, whole
from .sources import Layer

STORAGE, DATA_DIR, LISTEN = "GOMQ_STORAGE", "GOMQ_DATA_DIR", "GOMQ_LISTEN_ADDR"
KEY_OF = {
    "GOMQ_DEFAULT_TTL": "default-ttl",
    "GOMQ_MAX_MESSAGE_SIZE": "max-message-size",
    "GOMQ_MAX_QUEUE_DEPTH": "max-queue-depth",
    "GOMQ_MAX_RETRIES": "max-retry",
}
"""Variables that are a key of the configuration under another name."""
DEFAULT_OF = {
    STORAGE: "memory",
    DATA_DIR: "./data",
    LISTEN: ":5672",
    "GOMQ_DEFAULT_TTL": "24h",
    "GOMQ_MAX_MESSAGE_SIZE": "1MB",
    "GOMQ_MAX_QUEUE_DEPTH": "100000",
    "GOMQ_MAX_RETRIES": "3",
}


class Gomq(Struct, frozen=True):
    """What the variables say. Nothing, unless one of them is set; an empty one counts as unset."""

    defaults: Layer = {}
    """GoMQ's defaults for what is not set; whatever says otherwise wins."""
    given: Layer = {}
    store: str = ""
    """The store where nothing else names one."""
    notes: tuple[str, ...] = ()


def read(env: Mapping[str, str]) -> Gomq:
    """What the variables say. Raises ConfigError."""
    given = {name: env[name] for name in DEFAULT_OF if env.get(name)}
    if not given:
        return Gomq()
    layer: Layer = {key: (_source(name), Text(given[name])) for name, key in KEY_OF.items() if name in given}
    defaults: Layer = {key: (f"default of {name}", Text(DEFAULT_OF[name])) for name, key in KEY_OF.items()}
    store = _store(DEFAULT_OF | given)
    if STORAGE in given:
        layer["store"] = (_source(STORAGE), Text(store))
    notes = []
    if LISTEN in given:
        _check_listen(given[LISTEN])
        notes.append(f"{_source(LISTEN)}: this version has no AMQP door, nothing listens on {given[LISTEN]}")
    return Gomq(defaults, layer, store, tuple(notes))


def _store(values: Mapping[str, str]) -> str:
    try:
        storage = one_of("memory", "disk", "hybrid")(STORAGE, values[STORAGE])
    except InvalidArgument as error:
        raise ConfigError(_source(STORAGE), str(error)) from error
    folder = Path(values[DATA_DIR])
    return {"memory": "memory://", "disk": f"sqlite:///{folder / 'gomq.db'}", "hybrid": f"log:///{folder / 'log'}"}[
        storage
    ]


def _check_listen(address: str) -> None:
    """Raise ConfigError unless it is HOST:PORT or :PORT."""
    _, colon, port = address.rpartition(":")
    if not colon:
        raise ConfigError(_source(LISTEN), f"must be HOST:PORT or :PORT, got {address!r}")
    try:
        whole(0, PORT_MAX)("port", Text(port))
    except InvalidArgument as error:
        raise ConfigError(_source(LISTEN), str(error)) from error


def _source(variable: str) -> str:
    return f"environment variable {variable}"

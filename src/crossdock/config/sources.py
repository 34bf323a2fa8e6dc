"""Where values come from: the file, `.env`, the environment, flags. Each becomes one flat layer, key -> value."""

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import dotenv
import yaml

from .errors import ConfigError
from .keys import ENV_PREFIX, KEYS, Text

Layer = dict[str, tuple[str, object]]
"""Key -> where its value is from, and the value as the source has it."""

DOORS = ("http", "grpc", "ws")
"""Doors that one value opens or closes, see `door_layer`."""
FILE_BYTES_MAX = 1024 * 1024
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.ASCII)
_SECTIONS = {name[:end] for name in KEYS for end, char in enumerate(name) if char == "."}


def expand(value: str, env: Mapping[str, str]) -> str:
    """`value` with `$VAR` and `${VAR}` replaced from `env`; an unset one becomes nothing."""
    return _VARIABLE.sub(lambda match: env.get(match[1] or match[2], ""), value)


def read_env(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` over what the `.env` file says. Its own values are taken literally."""
    if not path.is_file():
        return dict(environ)
    values = dotenv.dotenv_values(stream=io.StringIO(_content(path)), interpolate=False)
    return {name: value for name, value in values.items() if value is not None} | dict(environ)


def file_layer(path: Path, env: Mapping[str, str]) -> Layer:
    """What a configuration file says, variables expanded. Raises ConfigError for an unknown key."""
    try:
        tree = yaml.safe_load(_content(path))  # Not libyaml's loader: deep nesting overflows its stack.
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or number that cannot be
        raise ConfigError(str(path), f"is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError:
        raise ConfigError(str(path), "is nested too deeply") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(str(path), f"must hold keys and values, not {type(tree).__name__}")
    return {key: (str(path), _expanded(value, env)) for key, value in _leaves(tree, "", path)}


def env_layer(env: Mapping[str, str]) -> Layer:
    """What the environment says: each key has its variable, and an empty one counts as unset."""
    layer: Layer = {}
    for door in DOORS:
        variable = ENV_PREFIX + door.upper()
        if env.get(variable):
            layer |= door_layer(door, f"environment variable {variable}", env[variable])
    for key in KEYS.values():
        if env.get(key.env):
            layer[key.name] = (f"environment variable {key.env}", Text(env[key.env]))
    return layer


def door_layer(door: str, source: str, listen: str) -> Layer:
    """What `HOST:PORT` or `off` says about a door."""
    if listen == "off":
        return {f"{door}.enabled": (source, False)}
    host, colon, port = listen.rpartition(":")
    if not colon or not host:
        raise ConfigError(source, f"must be HOST:PORT or off, got {listen!r}")
    host = host.removeprefix("[").removesuffix("]")
    given = {"enabled": True, "host": Text(host), "port": Text(port)}
    return {f"{door}.{name}": (source, value) for name, value in given.items()}


def _content(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(str(path), f"must have at most {FILE_BYTES_MAX} bytes")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), "is not UTF-8 text") from error


def _leaves(tree: dict[object, object], prefix: str, path: Path) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key in KEYS:
            yield key, value
        elif key not in _SECTIONS:
            raise ConfigError(str(path), f"unknown key {key!r}")
        elif isinstance(value, dict):
            yield from _leaves(value, f"{key}.", path)
        elif value is not None:
            raise ConfigError(str(path), f"{key} must hold keys and values, got {value!r}")


def _expanded(value: object, env: Mapping[str, str]) -> object:
    if isinstance(value, str) and "$" in value:
        return Text(expand(value, env))
    return value

"""The modes of QuickPulse, `WS_MODE`, `RPC_MODE`, `RPC_STREAM_MODE`: one door, queues in memory, and its metrics."""

from collections.abc import Mapping

from msgspec import Struct

from .errors import ConfigError
from .sources import Layer

DOOR_OF = {"WS_MODE": "ws", "RPC_MODE": "grpc", "RPC_STREAM_MODE": "grpc"}
"""The door that each variable opens. The gRPC door serves unary and streaming calls alike."""


class Mode(Struct, frozen=True):
    """What the variables say. Nothing, unless one of them is set; an empty one counts as unset."""

    given: Layer = {}
    store: str = ""
    """The store where nothing else names one."""


def read(env: Mapping[str, str]) -> Mode:
    """What the variables say. Raises ConfigError unless exactly one of those that are set is 1."""
    given = {name: env[name] for name in DOOR_OF if env.get(name)}
    if not given:
        return Mode()
    for name, value in given.items():
        if value not in ("0", "1"):
            raise ConfigError(f"environment variable {name}", f"must be 1 or 0, got {value!r}")
    chosen = [name for name, value in given.items() if value == "1"]
    if len(chosen) != 1:
        told = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ConfigError("environment", f"exactly one of {', '.join(DOOR_OF)} must be 1, got {told}")
    source = f"environment variable {chosen[0]}"
    doors = ("http", *dict.fromkeys(DOOR_OF.values()))
    layer: Layer = {f"{door}.enabled": (source, door == DOOR_OF[chosen[0]]) for door in doors}
    return Mode(layer | {"metrics.verbs": (source, True)}, "memory://")

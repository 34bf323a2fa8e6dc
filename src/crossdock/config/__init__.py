"""The server's configuration: `load` reads it from a file, the environment and flags into a `Config`."""

from .config import Config, Grpc, Http, Ws, embedded, load
from .errors import ConfigError
from .secret import Secret

__all__ = ["Config", "ConfigError", "Grpc", "Http", "Secret", "Ws", "embedded", "load"]

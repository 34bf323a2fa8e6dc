"""The server: builds, runs and stops everything."""

from .server import Server, serve

__all__ = ["Server", "serve"]

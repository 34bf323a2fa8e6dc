"""The open connections of a listener."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection


class Connections:
    """Who comes and goes; a connection stays until its session is closed."""

    def __init__(self) -> None:
        self.all: set[Connection] = set()
        self._left = asyncio.Event()

    def add(self, connection: "Connection") -> None:
        """A connection was made."""
        self.all.add(connection)

    def discard(self, connection: "Connection") -> None:
        """A connection is gone, and what was its own is given back."""
        self.all.discard(connection)
        self._left.set()

    async def none_left(self) -> None:
        """Wait until all are gone."""
        while self.all:
            self._left.clear()
            await self._left.wait()

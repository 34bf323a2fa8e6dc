"""Long polls under way: whoever is closed ends them, and they have brought nothing then."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Polls:
    """To be used in one event loop."""

    def __init__(self) -> None:
        self.closed = False
        self._under_way: set[asyncio.Future[Any]] = set()

    async def run(self, step: Awaitable[T]) -> T | None:
        """Await `step`; None when it was ended by `close`. Cancelling the call cancels it."""
        poll = asyncio.ensure_future(step)
        self._under_way.add(poll)
        try:
            await asyncio.wait([poll])
        except asyncio.CancelledError:
            poll.cancel()
            raise
        finally:
            self._under_way.discard(poll)
        return None if poll.cancelled() else poll.result()

    def close(self) -> None:
        """End those that are under way. May be called again."""
        self.closed = True
        for poll in self._under_way:
            poll.cancel()

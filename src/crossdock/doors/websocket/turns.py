"""What a client sends is answered turn by turn: a turn is one message, or several that may share a verb."""

import asyncio
from collections.abc import Awaitable
from time import perf_counter
from typing import Generic, TypeVar

from crossdock.core.model import Done

from .errors import error_frame
from .messages import Message
from .session import Peer

R = TypeVar("R")


class Turns(Generic[R]):
    """One turn at a time, so that answers are in the order of what they answer."""

    bytes_max: int
    turn_max = 1

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    @property
    def idle(self) -> bool:
        return self._task is None

    def _begin(self, turn: list[Message]) -> Awaitable[R]:
        """Begin what the messages ask for."""
        raise NotImplementedError

    def _show(self, result: R) -> bytes:
        """The frames that answer them."""
        raise NotImplementedError

    def received(self, turn: list[Message]) -> None:
        started = perf_counter()
        try:
            step = self._begin(turn)
            if not isinstance(step, Done):
                self._task = asyncio.create_task(self._later(step, len(turn), started))
                return
            frames = self._show(step.result)
        except Exception as error:
            frames = error_frame(error, self._peer.counters)
        self._reply(frames, len(turn), started)

    async def _later(self, step: Awaitable[R], count: int, started: float) -> None:
        try:
            frames = self._show(await step)
        except Exception as error:
            frames = error_frame(error, self._peer.counters)
        self._task = None
        self._reply(frames, count, started)
        self._peer.resume()

    def _reply(self, frames: bytes, count: int, started: float) -> None:
        self._peer.send(frames)
        self._peer.counters.latency.add(perf_counter() - started, count)

    async def finish(self) -> None:
        """Wait for the end of the turn."""
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """End the turn. What was done already stays done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

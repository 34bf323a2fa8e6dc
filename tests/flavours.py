"""One test body for both flavours of the API: every call is awaited, whichever it is.

The blocking flavour runs each call in a thread of its own, so that calls of one test are really concurrent.
"""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import crossdock
from crossdock import aio
from crossdock.broker import AsyncRuntime, ThreadRuntime, drive
from crossdock.client.embedding import embedding
from crossdock.client.opening import open_in_thread, opener
from crossdock.testing import VirtualClock

THREADS = 64
_ADAPTED = (
    *(crossdock.Connection, crossdock.Queue, crossdock.Subscription, crossdock.Delivery),
    *(aio.Connection, aio.Queue, aio.Subscription, aio.Delivery),
)
_PLAIN = ("text", "json")
"""Methods that wait in neither flavour."""


class Adapted:
    """An object of either flavour. Its methods are coroutines, its attributes what they are."""

    def __init__(self, flavour: "Flavour", it: Any) -> None:
        self._flavour = flavour
        self._it = it

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._it, name)
        return partial(self._flavour.call, value) if callable(value) and name not in _PLAIN else value

    async def take(self) -> Any:
        """The next delivery of a subscription; None at its end."""
        return await self._flavour.next(self._it)


class Flavour:
    """How the test speaks to crossdock, and the clock that it moves."""

    def __init__(self, name: str) -> None:
        self.blocking = name == "blocking"
        self.clock = VirtualClock()
        self._threads = ThreadPoolExecutor(THREADS)

    async def connect(self, url: str, **settings: Any) -> Any:
        """An open connection on the virtual clock."""
        url, embedded = embedding(
            url, settings.get("defaults"), settings.get("max_body_bytes"), settings.get("metrics_interval")
        )
        runtime = ThreadRuntime if self.blocking and url == "memory://" else AsyncRuntime
        opens = opener(url, None, partial(runtime, self.clock), embedded)
        if not self.blocking:
            return self._adapt(await aio.Connection(opens, "default"))
        if url == "memory://":
            return self._adapt(crossdock.Connection(drive(opens()), drive, None, "default"))
        thread, transport = await self.call(open_in_thread, opens)
        return self._adapt(crossdock.Connection(transport, thread.run, thread, "default"))

    async def call(self, verb: Any, *args: Any, **options: Any) -> Any:
        args = tuple(arg._it if isinstance(arg, Adapted) else _plain(arg) for arg in args)
        if self.blocking:
            loop = asyncio.get_running_loop()
            return self._adapt(await loop.run_in_executor(self._threads, partial(verb, *args, **options)))
        result = verb(*args, **options)
        return self._adapt(await result if inspect.isawaitable(result) else result)

    async def next(self, subscription: Any) -> Any:
        if self.blocking:
            return await self.call(next, subscription, None)
        return self._adapt(await anext(subscription, None))

    def _adapt(self, result: Any) -> Any:
        if isinstance(result, list):
            return [self._adapt(each) for each in result]
        return Adapted(self, result) if isinstance(result, _ADAPTED) else result

    def close(self) -> None:
        self._threads.shutdown()


def _plain(argument: Any) -> Any:
    if isinstance(argument, list):
        return [each._it if isinstance(each, Adapted) else each for each in argument]
    return argument

"""Workers: functions that handle the messages of queues, and schedules that send them."""

import asyncio
import concurrent.futures
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from crossdock.core.clock import Clock
from crossdock.core.durations import Duration, to_ms
from crossdock.core.errors import InvalidArgument, QueueClosed
from crossdock.core.model import DEFAULT_GROUP
from crossdock.core.policy import check_queue

from .aio import Connection, connect
from .bodies import Body
from .schedule import Schedule
from .worker_handler import Function, Handler
from .worker_life import Life

T = TypeVar("T")
F = TypeVar("F", bound=Function)

EXIT_FORCED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Worker:
    """Runs a program's handlers.

    >>> import crossdock
    >>> worker = crossdock.Worker("sqlite:///jobs.db")
    >>> @worker.handler("orders", concurrency=4)
    ... def handle(message):
    ...     print(message.json())

    and then `worker.run()`, or `crossdock worker module:worker` on the command line.

    It connects to a URL by itself, as `crossdock.aio.connect` does, and closes that connection; an asyncio connection
    that is given to it stays open. `grace` is how long handlers may go on after `stop`. `clock` is for tests.
    """

    def __init__(
        self, connection: str | Connection | None = None, *, grace: Duration = "30s", clock: Clock | None = None
    ) -> None:
        self.connection = connection if isinstance(connection, Connection) else connect(connection)
        """For coroutine handlers to send by; sync handlers pass what it returns to `wait_for`."""
        self._closes = connection is not self.connection
        self._grace = to_ms("grace", grace)
        self._clock = clock
        self._handlers: list[Handler] = []
        self._schedules: list[Schedule] = []
        self._life: Life | None = None

    def handler(
        self,
        queue: str,
        *,
        group: str = DEFAULT_GROUP,
        concurrency: int = 1,
        lease: Duration = "30s",
        retry: Duration | None = None,
    ) -> Callable[[F], F]:
        """Decorate the function that handles the messages of `queue`; a coroutine function, or one that may block.

        At most `concurrency` messages are leased at once, a plain function runs in as many threads. Their leases are
        extended until it returns: then the message is acked. When it raises, the message is tried again after
        `retry`, or the queue's backoff, as long as the queue's attempts last; `Reject` dead-letters it now.
        Raises InvalidArgument, also for a second handler of the same queue and group.
        """

        check_queue(queue)  # Now: `@worker.handler` without parentheses would decorate nothing.

        def register(function: F) -> F:
            self._check_idle()
            handler = Handler(function, queue, group, concurrency, lease, retry)
            if any((other.queue, other.group) == (queue, group) for other in self._handlers):
                raise InvalidArgument("queue", queue, f"must have one handler in group {group!r}")
            self._handlers.append(handler)
            return function

        return register

    def cron(self, expression: str, queue: str, body: Body, *, timezone: str = "UTC", name: str = "") -> None:
        """Send `body` to `queue` at every tick of a cron expression; one message, however many processes do so.

        The message has the header `x-tick`. `name` tells the schedules of a queue apart; the default is the expression
        with its time zone. Raises InvalidArgument.
        """
        self._check_idle()
        schedule = Schedule(expression, queue, body, timezone, name)
        if any((other.queue, other.name) == (queue, schedule.name) for other in self._schedules):
            raise InvalidArgument("name", schedule.name, f"must differ from other schedules of queue {queue!r}")
        self._schedules.append(schedule)

    def run(self) -> None:
        """Handle messages until stopped; in the main thread also by SIGINT or SIGTERM, a second one ends the process.

        Raises InvalidArgument, StoreUnavailable and the like when it cannot begin.
        """
        asyncio.run(self._run())

    async def _run(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return await self.serve()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            await self.serve()
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        if self._life is None or self._life.stopping.is_set():
            os._exit(EXIT_FORCED)
        self._life.stopping.set()

    async def serve(self) -> None:
        """The same in a running event loop, without the signals. Cancelled, it gives back what handlers still have."""
        self._check_idle()
        life = self._life = Life(self._handlers, self._schedules, self.connection, self._grace, self._clock)
        try:
            await self.connection
            await life.run()
        finally:
            try:
                if self._closes:
                    await self.connection.close()
            finally:
                self._life = None

    def stop(self) -> None:
        """Take nothing new, let handlers finish within `grace`, give the rest back. Returns at once, in any thread.

        A worker that does not run, or not yet, is not stopped by it.
        """
        life = self._life
        if life is not None:
            life.loop.call_soon_threadsafe(life.stopping.set)

    def wait_for(self, step: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine of the worker's connection for a sync handler: `worker.wait_for(queue.send(body))`.

        Raises what it raises; QueueClosed when the worker has ended.
        """
        life = self._life
        if life is None or life.loop.is_closed():
            step.close()
            raise QueueClosed("the worker is not running")
        if life.thread == threading.get_ident():
            step.close()
            raise InvalidArgument("step", step, "must be awaited in a coroutine handler: this would block the worker")
        future = asyncio.run_coroutine_threadsafe(step, life.loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise QueueClosed("the worker has ended meanwhile") from None

    def _check_idle(self) -> None:
        if self._life is not None:
            raise InvalidArgument("worker", self, "must not be running already")

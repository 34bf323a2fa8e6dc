"""The server's life: build, start, run, drain, stop."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crossdock.broker.broker import Broker
from crossdock.broker.observer import Observer
from crossdock.broker.runtime import AsyncRuntime
from crossdock.config import Config
from crossdock.core.clock import Clock
from crossdock.core.errors import StoreFailed
from crossdock.core.model import DEFAULT_NAMESPACE
from crossdock.doors.http.service import MetricSource
from crossdock.storage.base import Level
from crossdock.storage.urls import open_store

from . import debug
from .collector import PrometheusCollector
from .doors import Doors
from .logs import LogObserver

EXIT_FORCED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)

_log = logging.getLogger("crossdock.server")


class Server:
    """A broker with its store behind the doors that `config` opens. To be made and used inside one event loop.

    Raises InvalidArgument for a store URL that it does not know.
    """

    def __init__(self, config: Config, clock: Clock | None = None) -> None:
        self.config = config
        self.store = open_store(config.store, config.queue_defaults)
        runtime = AsyncRuntime(clock)
        observer: Observer | None = LogObserver() if _log.isEnabledFor(logging.DEBUG) else None
        metrics: list[MetricSource] = []
        if config.verb_metrics:
            observer = collector = PrometheusCollector(self.store, runtime.clock, observer)
            metrics.append(collector.metrics)
        self.broker = Broker(self.store, runtime, observer, config.max_body_bytes)
        self._doors = Doors(config, self.broker, metrics)
        self._debug: asyncio.Task[None] | None = None

    @property
    def urls(self) -> list[str]:
        """Where the open doors are reached."""
        return self._doors.urls

    @property
    def level(self) -> Level:
        """The publish level in force."""
        return self.store.abilities.level

    async def start(self) -> None:
        """Open the store, then the doors. Raises StoreUnavailable or CannotStart; then nothing stays open."""
        for note in self.config.notes:
            _log.warning(note)
        await self.broker.open(sweep=True)
        try:
            await self._doors.open()
        except BaseException:
            await self.broker.close()
            raise
        _log.info("serving", extra={"urls": self.urls, "store": self.config.store, "promise": self.level})
        if self.config.debug:
            self._debug = asyncio.create_task(debug.run(self.broker, DEFAULT_NAMESPACE))
            self._debug.add_done_callback(_log_failure)

    async def run(self, started: Callable[[], None]) -> None:
        """Start, call `started`, serve until SIGINT or SIGTERM, drain and stop. A second signal ends the process.

        Raises StoreFailed once stopped, when that is why: nothing may be acknowledged that the disk did not take (F15).
        """
        stopping = asyncio.Event()
        failures: list[StoreFailed] = []

        def failed(failure: StoreFailed) -> None:
            failures.append(failure)
            stopping.set()

        self.broker.sweeper.failed = failed
        with _on_signals(stopping):
            await self.start()
            try:
                gc.freeze()  # What lives now lives to the end: later collections need not look at it.
                started()
                await stopping.wait()
                _log.info("stopping")
            finally:
                await self.stop()
        if failures:
            raise failures[0]
        _log.info("stopped")

    async def stop(self) -> None:
        """Stop listening, end the long polls, let running requests finish, close the store.

        A second call does nothing.
        """
        if self._debug is not None:
            self._debug.cancel()
            await asyncio.wait([self._debug])
            self._debug = None
        self.broker.room.close()
        await self._doors.close()
        await self.broker.close()


def serve(config: Config, started: Callable[[Server], None]) -> None:
    """Run a server in this thread until a signal stops it; `started` is called when its doors are open."""

    async def life() -> None:
        server = Server(config)
        await server.run(lambda: started(server))

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(life())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


@contextmanager
def _on_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` at the first signal, exit at the second."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopping.is_set():
            os._exit(EXIT_FORCED)
        stopping.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("debug stopped", exc_info=task.exception())

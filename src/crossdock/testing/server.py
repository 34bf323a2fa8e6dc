"""A whole server in a thread of the test process, with a loop of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from crossdock.config import Config, Http
from crossdock.core.clock import Clock
from crossdock.server import Server

STOP_SECONDS = 30

_T = TypeVar("_T")


class RunningServer:
    """Context manager: a server that listens on a free port of 127.0.0.1 and keeps its queues in memory.

    `config` says otherwise. With a VirtualClock the test decides what time the server has. Several may run at once.
    """

    def __init__(self, config: Config | None = None, clock: Clock | None = None) -> None:
        self._config = config or Config(http=Http(port=0))
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crossdock-server", daemon=True)
        self._server: Server | None = None
        self.url = ""
        self.urls: list[str] = []
        """Of all open doors; `url` is the HTTP door's, or the first."""

    def __enter__(self) -> "RunningServer":
        self._thread.start()
        try:
            self._server = self._call(self._start())
        except BaseException:
            self._end_thread()
            raise
        self.urls = self._server.urls
        self.url = self.urls[0] if self.urls else ""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._server is not None:
                self._call(self._server.stop())
        finally:
            self._end_thread()

    async def _start(self) -> Server:
        server = Server(self._config, self._clock)
        await server.start()
        return server

    def _call(self, step: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(STOP_SECONDS)

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_SECONDS)
        self._loop.close()

"""A server as a process of its own, as the command starts it, and one in a thread of the test."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from crossdock.config import Config, Http, Secret
from crossdock.server import Server

STOP_SECONDS = 30


class Served:
    """A running `crossdock serve` on a free port, and its log."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        command = [sys.executable, "-m", "crossdock", "serve", "--log-format", "json", *arguments]
        env = {name: value for name, value in os.environ.items() if not name.startswith("CROSSDOCK_")} | environ
        self.log: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.url = ""

    def wait_until_open(self) -> None:
        urls = self.wait_for("serving")["urls"]
        self.url = urls[0] if urls else ""

    def wait_for(self, event: str) -> dict[str, Any]:
        """Read the log up to the next record of this event."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == event:
                return self.log[-1]
        raise AssertionError(f"the server ended before {event!r}: {self.log}")

    def stop(self, signal: int) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self.process.send_signal(signal)
        return self.process.wait(STOP_SECONDS)

    def rest(self) -> str:
        """What is left of the log of a server that has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(f"{self.url}/api/v1/{path}", **options)

    def post(self, path: str, body: object = None, **options: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/api/v1/{path}", json={} if body is None else body, **options)

    def dequeue(
        self, queue: str, headers: dict[str, str] | None = None, group: str = "g", **fields: object
    ) -> httpx.Response:
        request = {"group": group, "consumer_id": "c", **fields}
        return self.post(f"{queue}/dequeue", request, headers=headers, timeout=60)


class ServerThread:
    """A server on a free port in a thread of its own."""

    def __init__(self, store: str, api_key: str = "", rate: float = 0) -> None:
        http = Http(port=0, api_key=Secret(api_key), rate_limit=rate, rate_burst=1)
        self._config = Config(store=store, http=http)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.url = ""

    def __enter__(self) -> "ServerThread":
        self._thread.start()
        self._server = self._call(self._start())
        (self.url,) = self._server.urls
        return self

    async def _start(self) -> Server:
        server = Server(self._config)
        await server.start()
        return server

    def _call(self, step: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

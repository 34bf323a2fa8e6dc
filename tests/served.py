"""A server as a process of its own, as the command starts it, and one in a thread of the test."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from crossdock.config import Config, Grpc, Http, Secret, Ws
from crossdock.server import Server

STOP_SECONDS = 30
ONE_DOOR = {"CROSSDOCK_GRPC": "off", "CROSSDOCK_WS": "off"}
"""The doors of a server under test that are not asked for: their ports may be taken."""


class Served:
    """A running `crossdock serve` on a free port, and its log."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        command = [sys.executable, "-m", "crossdock", "serve", "--log-format", "json", *arguments]
        env = {name: value for name, value in os.environ.items() if not name.startswith("CROSSDOCK_")}
        env |= ONE_DOOR | environ
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
    """A server on free ports in a thread of its own. Its other doors than HTTP open when they are asked for."""

    def __init__(
        self,
        store: str,
        api_key: str = "",
        rate: float = 0,
        ws: Ws = Ws(),  # noqa: B008
        grpc: Grpc = Grpc(),  # noqa: B008
    ) -> None:
        http = Http(port=0, api_key=Secret(api_key), rate_limit=rate, rate_burst=1)
        self._config = Config(store=store, http=http, ws=ws, grpc=grpc)
        self._started: Future[list[str]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.url = ""
        self.ws_url = ""
        self.grpc_url = ""

    def __enter__(self) -> "ServerThread":
        self._thread.start()
        urls = self._started.result(30)
        self.url = urls[0]
        self.grpc_url = next((url for url in urls if url.startswith("grpc")), "")
        self.ws_url = next((url for url in urls if url.startswith("ws")), "")
        return self

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self._config)
        try:
            await server.start()
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._started.set_result(server.urls)
        await self._stopping.wait()
        await server.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

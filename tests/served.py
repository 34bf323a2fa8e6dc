"""A server as a process of its own, as the command starts it, and one in a thread of the test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from crossdock.config import Config, Grpc, Http, Secret, Ws
from crossdock.testing.server import RunningServer

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


class ServerThread(RunningServer):
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
        super().__init__(Config(store=store, http=http, ws=ws, grpc=grpc))

    def __enter__(self) -> "ServerThread":
        super().__enter__()
        return self

    @property
    def grpc_url(self) -> str:
        return self._url_of("grpc")

    @property
    def ws_url(self) -> str:
        return self._url_of("ws")

    def _url_of(self, scheme: str) -> str:
        return next((url for url in self.urls if url.startswith(scheme)), "")

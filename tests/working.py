"""Workers at work: in the test's own loop, and as a process of their own; and what their logs say of each message."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from crossdock import Worker, aio
from crossdock.broker import AsyncRuntime, Broker
from crossdock.storage.memory import MemoryStore
from crossdock.testing import VirtualClock

STOP_SECONDS = 30
Record = dict[str, Any]
Fates = dict[int, list[tuple[str, int, str]]]


def fates(log: list[Record]) -> Fates:
    """What became of each message: its attempts in the order of the log, as (queue, attempt, outcome)."""
    found: Fates = defaultdict(list)
    for record in log:
        if "outcome" in record:
            found[record["message_id"]].append((record["queue"], record["attempt"], record["outcome"]))
    return dict(found)


def virtual(clock: VirtualClock, store: MemoryStore | None = None) -> aio.Connection:
    """A connection to queues in memory which live by this clock."""

    async def open_broker() -> Broker:
        broker = Broker(store or MemoryStore(), AsyncRuntime(clock))
        await broker.open()
        return broker

    return aio.Connection(open_broker, "default")


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator["asyncio.Task[None]"]:
    """A worker that runs inside the block, and ends without failure behind it."""
    task = asyncio.create_task(worker.serve())
    try:
        yield task
    finally:
        worker.stop()
        await task


class Log(logging.Handler):
    """Keeps what workers of this process log, as records of a JSON log."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []
        self._plain = set(vars(logging.makeLogRecord({})))
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in self._plain}
        self.records.append({"event": record.getMessage(), "level": record.levelname.lower()} | extra)
        self._loop.call_soon_threadsafe(self._news.set)

    async def until(self, found: Callable[[list[Record]], bool]) -> None:
        """Return when the log fulfils a condition."""
        while not found(self.records):
            self._news.clear()
            await self._news.wait()

    async def attempts(self, count: int) -> Fates:
        """Return when that many attempts have ended."""
        await self.until(lambda log: sum("outcome" in record for record in log) >= count)
        return fates(self.records)

    async def event(self, name: str) -> Record:
        """Return when such a record was written."""
        await self.until(lambda log: any(record["event"] == name for record in log))
        return next(record for record in self.records if record["event"] == name)


class WorkerProcess:
    """A running `crossdock worker`, and its log. Closing its stdin is how a test lets its handlers go on."""

    def __init__(self, target: str, folder: Path, **environ: str) -> None:
        command = [sys.executable, "-m", "crossdock", "worker", target, "--log-format", "json"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("CROSSDOCK_")} | environ
        self.log: list[Record] = []
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        for stream in (self.process.stdin, self.process.stderr):
            assert stream is not None
            stream.close()

    def wait_for(self, event: str, count: int = 1) -> Record:
        """Read the log up to the record which is the `count`th of this event."""
        assert self.process.stderr is not None
        while sum(record["event"] == event for record in self.log) < count:
            line = self.process.stderr.readline()
            assert line, f"the worker ended before {event!r}: {self.log}"
            self.log.append(json.loads(line))
        return self.log[-1]

    def release(self) -> None:
        """Close the stdin of the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> int:
        """Wait for the end of the process and read the rest of its log; returns the exit code."""
        assert self.process.stderr is not None
        self.log += [json.loads(line) for line in self.process.stderr]
        return self.process.wait(STOP_SECONDS)

"""A server in a process of its own, and the processor time it uses."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from .report import BenchFailed

STOP_SECONDS = 30
_SQLITE = "sqlite:///"


class Served(Struct):
    """A running server."""

    url: str
    level: str
    pid: int

    def cpu_s(self) -> float | None:
        """Processor seconds used so far; None where the system does not say."""
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():
            return None
        user, system = stat.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def cpu_since(self, before: float | None) -> float | None:
        """Processor seconds used since `cpu_s` said `before`."""
        now = self.cpu_s()
        return None if before is None or now is None else now - before


@contextmanager
def serve(store: str) -> Iterator[Served]:
    """`crossdock serve` on a free port, without any configuration but the store's."""
    if store.startswith(_SQLITE):
        store = f"{_SQLITE}{Path(store.removeprefix(_SQLITE)).absolute()}"
    doors = ("--http", "127.0.0.1:0", "--grpc", "off", "--ws", "off")
    with _process("crossdock", "serve", "--store", store, *doors, "--log-format", "json") as served:
        yield served


@contextmanager
def serve_nothing() -> Iterator[Served]:
    """The server of `nothing`."""
    with _process("crossdock.bench.nothing") as served:
        yield served


@contextmanager
def _process(*arguments: str) -> Iterator[Served]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CROSSDOCK_")}
    with tempfile.TemporaryDirectory(prefix="crossdock-bench-") as folder:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-m", *arguments], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True
        )
        try:
            yield _wait_until_open(process)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _wait_until_open(process: "subprocess.Popen[str]") -> Served:
    said: Sequence[str] = ()
    for line in process.stderr or ():
        record = json.loads(line) if line.startswith("{") else {}
        if record.get("event") == "serving":
            return Served(record["urls"][0], record["promise"], process.pid)
        said = (*said, line.strip())
    raise BenchFailed(f"the server did not start: {' '.join(said)}")

"""A backlog larger than memory, and the start of a store that has much: figures of a process of its own.

`python tests/storage/test_log_backlog.py backlog FOLDER MESSAGES BODY_BYTES MEMORY_BYTES` and `... start FOLDER` print
what the tests judge. With CROSSDOCK_CAMPAIGN=1 the backlog has 10 GB, with a budget of 256 MB.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from crossdock.core.model import Plain, Settings
from crossdock.storage.log import LogStore

Q = ("default", "q")
MIB = 1024 * 1024
CAMPAIGN = os.environ.get("CROSSDOCK_CAMPAIGN") == "1"


def body(number: int, size: int) -> bytes:
    seed = sha256(b"%d" % number).digest()
    return (seed * (size // len(seed) + 1))[:size]


def memory_mib(kind: str) -> float:
    """VmRSS is what the process holds, VmHWM the most it held."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(kind)).split()[1]) / 1024


async def backlog(folder: str, messages: int, size: int, budget: int) -> dict[str, float]:
    """Send a backlog, then receive and check all of it."""
    store = LogStore(folder, memory_bytes=budget)
    await store.open(1)
    await store.create_queue(Q, Settings(), 1)
    await store.receive(Q, "g", 1, 0, 1)
    before = memory_mib("VmRSS")
    batch = max(1, min(1_000, MIB // size))
    for start in range(0, messages, batch):
        await store.send(Q, [Plain(body(n, size)) for n in range(start, min(start + batch, messages))], 2)
    filled = memory_mib("VmHWM")
    wrong = received = 0
    while deliveries := await store.receive(Q, "g", batch, 60_000, 3):
        for delivery in deliveries:
            wrong += delivery.message.body != body(received, size)
            received += 1
        await store.ack(Q, "g", deliveries, 3)
    await store.close()
    return {"before": before, "filled": filled, "drained": memory_mib("VmHWM"), "received": received, "wrong": wrong}


async def fill(folder: str, passed: int, kept: int) -> dict[str, float]:
    """Let messages pass, and keep some."""
    store = LogStore(folder)
    await store.open(1)
    await store.create_queue(Q, Settings(), 1)
    for start in range(0, passed + kept, 1_000):
        await store.send(Q, [Plain(b"%0100d" % n) for n in range(start, start + 1_000)], 2)
        if start < passed:
            await store.ack(Q, "g", await store.receive(Q, "g", 1_000, 0, 2), 2)
    await store.close()
    return {"bytes": sum(path.stat().st_size for path in Path(folder).iterdir())}


async def start(folder: str) -> dict[str, float]:
    store = LogStore(folder)
    began = time.perf_counter()
    await store.open(1)
    seconds = time.perf_counter() - began
    stored = (await store.stats(Q, 1)).stored
    await store.close()
    return {"seconds": round(seconds, 2), "peak_mib": memory_mib("VmHWM"), "stored": stored}


def run(*arguments: object) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True, capture_output=True, text=True)
    print(*arguments[2:], done.stdout.strip())
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@pytest.mark.timeout(0)
def test_a_backlog_larger_than_its_memory_works(tmp_path: Path) -> None:
    """F33: bodies beyond the budget are on disk alone, and come back as they were."""
    messages, size, budget = (100_000, 100_000, 256 * MIB) if CAMPAIGN else (4_000, 50_000, 16 * MIB)
    found = run("backlog", tmp_path / "log", messages, size, budget)
    assert found["received"] == messages
    assert found["wrong"] == 0
    metadata = messages * 1_000 / MIB
    assert found["drained"] - found["before"] < budget / MIB + metadata + 48
    assert messages * size > 10 * budget


@pytest.mark.timeout(0)
def test_a_start_depends_on_what_is_stored_not_on_what_ever_passed(tmp_path: Path) -> None:
    kept = 1_000_000 if CAMPAIGN else 20_000
    run("fill", tmp_path / "much passed", 1_000_000, kept)
    run("fill", tmp_path / "nothing passed", 0, kept)
    much, nothing = run("start", tmp_path / "much passed"), run("start", tmp_path / "nothing passed")
    assert much["stored"] == nothing["stored"] == kept
    assert much["peak_mib"] < nothing["peak_mib"] * 1.5 + 32
    size = sum(path.stat().st_size for path in (tmp_path / "much passed").iterdir())
    assert size < kept * 400 + 200 * MIB, "of a million messages that passed, some 400 MB, most must have gone"


if __name__ == "__main__":
    verb = {"backlog": backlog, "fill": fill, "start": start}[sys.argv[1]]
    print(json.dumps(asyncio.run(verb(sys.argv[2], *map(int, sys.argv[3:])))))

"""Several processes on one file: two send, two receive, and each message is handed out once.

By hand with more messages: `python tests/storage/test_sqlite_processes.py run FOLDER 20000`.
"""

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from crossdock.core.model import Message, Settings
from crossdock.storage.sqlite import SqliteStore

Q = ("default", "q")
LEASE_MS = 600_000
"""Longer than the test: a message handed out twice was handed out wrongly."""


def now() -> int:
    return time.time_ns() // 1_000_000


async def send(store: SqliteStore, count: int) -> list[int]:
    """Send `count` messages, some at once and some in batches; returns their ids."""
    sent: list[int] = []
    while len(sent) < count:
        sizes = (1, 1, 1, 7) if len(sent) + 10 <= count else (1,)
        batches = [[Message(b"x" * 100) for _ in range(size)] for size in sizes]
        for result in await asyncio.gather(*(store.send(Q, batch, now()) for batch in batches)):
            sent += result.ids
    return sent


async def receive(store: SqliteStore, count: int) -> list[int]:
    """Receive and ack until `count` messages are acked by all together; returns the ids received here."""
    got: list[int] = []
    news = asyncio.Event()
    loop = asyncio.get_running_loop()
    store.watch(lambda where, number: loop.call_soon_threadsafe(news.set))
    while (await store.stats(Q, now())).totals.acked < count:
        news.clear()
        deliveries = await store.receive(Q, "g", 10, LEASE_MS, now())
        if not deliveries:
            await asyncio.wait([loop.create_task(news.wait())], timeout=0.1)
            continue
        got += [delivery.id for delivery in deliveries]
        assert await store.ack(Q, "g", deliveries, now()) == {}
    return got


async def work(role: str, path: Path, count: int) -> None:
    """The life of one process; prints its ids."""
    store = SqliteStore(path)
    await store.open(now())
    ids = await (send if role == "send" else receive)(store, count)
    await store.close()
    print(*ids)


async def create(path: Path) -> None:
    store = SqliteStore(path)
    await store.open(now())
    await store.create_queue(Q, Settings(), now())
    await store.create_group(Q, "g", now())
    await store.close()


def run(path: Path, count: int) -> tuple[list[int], list[int]]:
    """Send `count` messages from two processes and receive them in two others; returns ids sent and received."""
    asyncio.run(create(path))
    roles = [("send", count // 2), ("send", count - count // 2), ("receive", count), ("receive", count)]
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, role, str(path), str(share)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role, share in roles
    ]
    outputs = [worker.communicate() for worker in workers]
    for worker, (_, trouble) in zip(workers, outputs, strict=True):
        assert worker.returncode == 0, trouble
    ids = [[int(text) for text in output.split()] for output, _ in outputs]
    return ids[0] + ids[1], ids[2] + ids[3]


def test_four_processes_hand_out_each_message_once(tmp_path: Path) -> None:
    sent, received = run(tmp_path / "queues.db", 2_000)
    assert sorted(sent) == list(range(1, 2_001))
    assert Counter(received) == Counter(sent)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        began = time.monotonic()
        messages_sent, messages_received = run(Path(sys.argv[2]) / "queues.db", int(sys.argv[3]))
        once = Counter(messages_sent) == Counter(messages_received) and len(set(messages_sent)) == len(messages_sent)
        print(f"{len(messages_sent)} sent, {len(messages_received)} received, each once: {once}", end=", ")
        print(f"{time.monotonic() - began:.1f} s")
    else:
        asyncio.run(work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))

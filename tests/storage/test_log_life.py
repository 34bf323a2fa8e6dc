"""The log store from opening to closing: who may open it, cancelled callers, forks, bodies that are on disk alone."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.core.errors import LeaseLost, MessageNotFound, QueueClosed, StoreUnavailable
from crossdock.core.model import Message, Plain, Settings
from crossdock.core.policy import DEFAULTS
from crossdock.storage.log import LogStore, commands
from crossdock.storage.log.compaction import compact
from crossdock.storage.log.snapshot import Head, write_snapshot
from crossdock.storage.wal.disk import RealDisk, RealFile

Q = ("default", "q")
HOLDER = """
import asyncio, sys
from crossdock.storage.log import LogStore
async def hold():
    await LogStore(sys.argv[1]).open(1)
    print("open", flush=True)
    await asyncio.sleep(60)
asyncio.run(hold())
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LogStore]:
    opened = LogStore(tmp_path / "log", memory_bytes=10)
    await opened.open(1)
    await opened.create_queue(Q, Settings(), 1)
    yield opened
    await opened.close()


async def test_a_second_owner_is_refused(store: LogStore, tmp_path: Path) -> None:
    """F41."""
    with pytest.raises(StoreUnavailable, match=f"in use by process {os.getpid()}$"):
        await LogStore(tmp_path / "log").open(1)
    await store.send(Q, [Plain(b"the first goes on")], 1)


async def test_the_owner_is_another_process_until_it_dies(tmp_path: Path) -> None:
    """F41: the lock ends with the process, however that ends."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "log"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreUnavailable, match=f"in use by process {holder.pid}$"):
            await LogStore(tmp_path / "log").open(1)
        holder.send_signal(signal.SIGKILL)
    store = LogStore(tmp_path / "log")
    await store.open(1)
    await store.close()


class HeldSync:
    """The disk is busy: syncs wait until `go`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        self.go = threading.Event()
        loop, sync = asyncio.get_running_loop(), RealFile.sync

        def wait_to_sync(file: RealFile) -> None:
            loop.call_soon_threadsafe(self.begun.set)
            self.go.wait()
            sync(file)

        patch.setattr(RealFile, "sync", wait_to_sync)


async def test_a_cancelled_send_is_not_done_by_half(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """F10: cancelled while the disk works, it is stored all the same."""
    held = HeldSync(monkeypatch)
    task = asyncio.create_task(store.send(Q, [Plain(b"a"), Plain(b"b")], 1))
    await held.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.go.set()
    assert [each.message.body for each in await store.receive(Q, "g", 10, 0, 1)] == [b"a", b"b"]


async def test_a_cancelled_answer_is_done_once(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """F10: the next verb sees what the cancelled one did, whether or not it is on the disk yet."""
    await store.send(Q, [Plain(b"a")], 1)
    deliveries = await store.receive(Q, "g", 1, 0, 1)
    held = HeldSync(monkeypatch)
    task = asyncio.create_task(store.ack(Q, "g", deliveries, 1))
    await held.begun.wait()
    task.cancel()
    again = asyncio.create_task(store.ack(Q, "g", deliveries, 1))
    stored = (await store.stats(Q, 1)).stored
    held.go.set()
    assert task.cancelling()
    assert stored == 0
    assert isinstance((await again)[0], LeaseLost)


async def test_a_broker_gives_back_what_a_cancelled_receive_was_about_to_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10: the lease is durable before the consumer hears of it, and gone when it never will."""
    broker = Broker(LogStore(tmp_path / "log", memory_bytes=0), AsyncRuntime())
    await broker.open()
    await broker.create_queue(Q, Settings(max_attempts=0))
    await broker.send(Q, [Plain(b"a")])
    held = HeldSync(monkeypatch)
    receive = asyncio.ensure_future(broker.receive(Q))
    await held.begun.wait()
    receive.cancel()
    with pytest.raises(asyncio.CancelledError):
        await receive
    assert (await broker.stats(Q)).leased == 1
    held.go.set()
    await broker.runtime.settle()
    assert ((await broker.stats(Q)).ready, (await broker.stats(Q)).leased) == (1, 0)
    await broker.close()


async def test_an_opening_that_is_cancelled_gives_the_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10, F41."""
    held = HeldSync(monkeypatch)
    store = LogStore(tmp_path / "log")
    task = asyncio.create_task(store.open(1))
    await held.begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.open(1)
    await store.close()


async def test_closing_lets_a_receive_end_that_was_under_way(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.send(Q, [Plain(b"longer than the budget")], 1)
    held = HeldSync(monkeypatch)
    receive = asyncio.create_task(store.receive(Q, "g", 1, 0, 1))
    await held.begun.wait()
    close = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    with pytest.raises(QueueClosed):
        await store.stats(Q, 1)
    held.go.set()
    assert [each.message.body for each in await receive] == [b"longer than the budget"]
    await close


async def test_closing_answers_who_waits(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "log")
    await store.open(1)
    await store.create_queue(Q, Settings(), 1)
    sends = [asyncio.create_task(store.send(Q, [Plain(b"%d" % number)], 1)) for number in range(100)]
    await asyncio.sleep(0)
    await store.close()
    assert [(await send).ids for send in sends] == [[number] for number in range(1, 101)]
    with pytest.raises(QueueClosed):
        await store.send(Q, [Plain(b"late")], 1)
    await store.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork of a process that has threads
async def test_a_fork_is_refused(store: LogStore) -> None:
    child = os.fork()
    if not child:
        code = 1
        try:
            asyncio.run(store.send(Q, [Plain(b"x")], 1))
        except StoreUnavailable as error:
            code = 0 if "before a fork" in str(error) else 2
        finally:
            os._exit(code)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


async def test_bodies_beyond_the_budget_come_back_by_every_verb(store: LogStore) -> None:
    """F33: ten bytes are all that stays in memory."""
    bodies = [b"%03d" % number * 20 for number in range(30)]
    for number, body in enumerate(bodies[:20]):
        await store.send(Q, [Plain(body) if number % 2 else Message(body, headers={"k": "v"})], 2)
    await store.send(Q, [Plain(body) for body in bodies[20:]], 2)
    assert store._life is not None
    assert store._life.journal.bodies.paged_bytes >= 29 * 60
    assert [each.message.body for each in await store.peek(Q, "g", 100, 3)] == bodies
    assert [each.message.body for each in await store.browse(Q, "g", 100, 3)] == bodies
    assert (await store.message(Q, 7, 3)).body == bodies[6]
    deliveries = await store.receive(Q, "g", 100, 1_000, 3)
    assert [each.message.body for each in deliveries] == bodies
    await store.reject(Q, "g", deliveries[:1], 3, "no good")
    (letter,) = await store.receive(("default", "q.dlq"), "g", 10, 0, 3)
    assert letter.message.body == bodies[0]
    assert await store.ack(("default", "q.dlq"), "g", [letter], 3) == {}
    assert await store.ack(Q, "g", deliveries[1:], 3) == {}
    del deliveries, letter
    assert store._life.journal.bodies.paged_bytes == 0
    with pytest.raises(MessageNotFound):
        await store.message(Q, 7, 3)


async def test_an_empty_body_beyond_the_budget_comes_back_too(tmp_path: Path) -> None:
    """Nothing of it is in the log alone, also once it comes from a snapshot."""
    folder = tmp_path / "log"
    store = LogStore(folder, memory_bytes=0, segment_bytes=1)
    await store.open(1)
    await store.create_queue(Q, Settings(), 1)
    for message in (Plain(b""), Message(b"", headers={"k": "v"})):
        await store.send(Q, [message], 2)
    assert [each.message.body for each in await store.receive(Q, "g", 10, 5, 3)] == [b"", b""]
    assert store._life is not None
    wal = store._life.journal.wal
    sent_in = wal.written.number
    while wal.written.number == sent_in:  # the thread that commits begins the next
        await store.update_queue(Q, Settings(), 3)
    await store.close()
    assert compact(RealDisk(folder), wal.written.number) == []
    store = LogStore(folder, memory_bytes=0)
    await store.open(10)
    assert [each.message.body for each in await store.receive(Q, "g", 10, 0, 10)] == [b"", b""]
    await store.close()


async def test_a_log_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LogStore(tmp_path / "log")
    monkeypatch.setattr(commands, "FORMAT", 99)
    await store.open(1)
    await store.close()
    monkeypatch.undo()
    with pytest.raises(StoreUnavailable, match="the log is of format 99, this version reads 1"):
        await LogStore(tmp_path / "log").open(1)


async def test_a_snapshot_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    store = LogStore(folder)
    await store.open(1)
    await store.close()
    write_snapshot(RealDisk(folder), 1, Head(99, 1, DEFAULTS), [], "tester")
    with pytest.raises(StoreUnavailable, match=f"snapshot-0000000001 is of format 99, not {commands.FORMAT}"):
        await LogStore(folder).open(1)


async def test_a_damaged_body_is_set_aside_and_told_of(store: LogStore, caplog: pytest.LogCaptureFixture) -> None:
    """F40: the others are delivered, the damaged one stays stored, and nobody gets wrong bytes."""
    for body in (b"first of all", b"to be damaged", b"the last of all"):
        await store.send(Q, [Plain(body)], 1)
    (path,) = (store._path / name for name in os.listdir(store._path) if name.startswith("segment-0000000001"))
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(content.index(b"damaged"))
        file.write(b"D")
    for found in (await store.peek(Q, "g", 9, 2), await store.receive(Q, "g", 9, 1_000, 2)):
        assert [each.message.body for each in found] == [b"first of all", b"the last of all"]
    with pytest.raises(StoreUnavailable, match="is damaged"):
        await store.message(Q, 2, 2)
    assert (await store.stats(Q, 2)).stored == 3
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert [text.partition(": ")[0] for text in told] == ["message 2 cannot be read, it is set aside"] * 2


async def test_an_unfinished_write_is_cut_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """F12."""
    store = LogStore(tmp_path / "log")
    await store.open(1)
    await store.create_queue(Q, Settings(), 1)
    await store.close()
    (path,) = (store._path / name for name in os.listdir(store._path) if name.startswith("segment-0000000001"))
    with path.open("r+b") as file:
        file.seek(len(path.read_bytes().rstrip(b"\0")) + 8)
        file.write(b"?")
    await store.open(1)
    assert [each.getMessage().split(" at ")[0] for each in caplog.records if each.levelno == logging.WARNING] == [
        "cut 9 bytes of an unfinished write"
    ]
    assert await store.queues(None) == [Q]
    await store.close()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="file cannot be used: File exists"):
        await LogStore(tmp_path / "file" / "log").open(1)

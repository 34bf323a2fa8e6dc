"""The log store from opening to closing: who may open it, cancelled callers, forks, bodies that are on disk alone."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crossdock.core.errors import MessageNotFound, QueueClosed, StoreUnavailable
from crossdock.core.model import Message, Plain, Settings
from crossdock.storage.log import LogStore, commands
from crossdock.storage.wal.disk import RealFile

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


async def test_a_cancelled_send_is_not_done_by_half(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """F10: cancelled while the disk works, it is stored all the same."""
    held, went_on, sync = asyncio.Event(), asyncio.Event(), RealFile.sync
    loop = asyncio.get_running_loop()

    def wait_to_sync(file: RealFile) -> None:
        asyncio.run_coroutine_threadsafe(hold(), loop).result()
        sync(file)

    async def hold() -> None:
        held.set()
        await went_on.wait()

    monkeypatch.setattr(RealFile, "sync", wait_to_sync)
    task = asyncio.create_task(store.send(Q, [Plain(b"a"), Plain(b"b")], 1))
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    went_on.set()
    assert [each.message.body for each in await store.receive(Q, "g", 10, 0, 1)] == [b"a", b"b"]


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


async def test_a_log_of_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LogStore(tmp_path / "log")
    monkeypatch.setattr(commands, "FORMAT", 99)
    await store.open(1)
    await store.close()
    monkeypatch.undo()
    with pytest.raises(StoreUnavailable, match="the log is of format 99, this version reads 1"):
        await LogStore(tmp_path / "log").open(1)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="file cannot be used: File exists"):
        await LogStore(tmp_path / "file" / "log").open(1)

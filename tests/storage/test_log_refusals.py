"""When the log store refuses: what callers are told, and that each of them is told something."""

import asyncio
import errno
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from crossdock.core.errors import QueueClosed, StoreFailed, StoreUnavailable
from crossdock.core.model import Message, Plain, Settings
from crossdock.storage.log import LogStore, life
from crossdock.storage.wal import wal
from crossdock.storage.wal.disk import File, RealDisk, RealFile

Q = ("default", "q")
BODIES = [b"%03d" % number * 30 for number in range(10)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LogStore]:
    opened = LogStore(tmp_path / "log", memory_bytes=0)
    await opened.open(1)
    await opened.create_queue(Q, Settings(), 1)
    yield opened
    await opened.close()


async def test_a_damaged_body_is_set_aside_and_told_of(
    store: LogStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F40: the store is in use when the disk rots; one message is affected."""
    for body in BODIES:
        await store.send(Q, [Message(body, headers={"k": "v"})], 1)
    (segment,) = (tmp_path / "log").glob("segment-*")
    content = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(content.index(BODIES[4]))
        file.write(b"?")
    with caplog.at_level(logging.ERROR, "crossdock.storage"):
        found = [each.message.body for each in await store.receive(Q, "g", 100, 1_000, 2)]
    assert found == BODIES[:4] + BODIES[5:]
    assert "message 5 cannot be read, it is set aside" in caplog.text
    with pytest.raises(StoreUnavailable, match=r"at byte \d+ of segment 1 is damaged"):
        await store.message(Q, 5, 3)
    assert (await store.stats(Q, 3)).stored == len(BODIES), "what cannot be read is kept"


async def test_each_refusal_is_an_error_of_its_own(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One error that is raised again and again would keep the frames of every call."""

    def fail(file: RealFile) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(RealFile, "sync", fail)
    refusals = await asyncio.gather(*(store.send(Q, [Plain(b"x")], 1) for _ in range(2)), return_exceptions=True)
    refusals += await asyncio.gather(store.queues(None), store.tick(2), return_exceptions=True)
    assert {type(refusal) for refusal in refusals} == {StoreFailed}
    assert len(set(map(id, refusals))) == len(refusals)


async def test_who_comes_when_the_store_has_just_closed_is_told(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller on another loop found the store open, and has its turn when the last commit is done."""
    entered, closed = threading.Event(), threading.Event()
    find = LogStore._open

    def find_and_wait(found: LogStore) -> object:
        life = find(found)
        entered.set()
        assert closed.wait(10)
        return life

    async def send() -> None:
        async with asyncio.timeout(10):
            await store.send(Q, [Plain(b"late")], 2)

    monkeypatch.setattr(LogStore, "_open", find_and_wait)
    late = asyncio.create_task(asyncio.to_thread(asyncio.run, send()))
    await asyncio.to_thread(entered.wait, 10)
    await store.close()
    closed.set()
    with pytest.raises(QueueClosed):
        await late


VERBS: dict[str, Callable[[LogStore], Awaitable[object]]] = {
    "send": lambda store: store.send(Q, [Plain(b"x")], 1),
    "receive": lambda store: store.receive(Q, "g", 1, 0, 1),
    "stats": lambda store: store.stats(Q, 1),
}


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork of a process that has threads
@pytest.mark.parametrize("verb", VERBS)
async def test_a_fork_is_refused_at_once(store: LogStore, verb: str) -> None:
    """Also while another thread uses the store: its lock is then held for ever in the child."""
    assert store._life is not None
    store._life.committer.lock.acquire()
    child = os.fork()
    if not child:
        code = 1
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)
        try:
            asyncio.run(VERBS[verb](store))
        except StoreUnavailable as error:
            code = 0 if "before a fork" in str(error) else 2
        finally:
            os._exit(code)
    store._life.committer.lock.release()
    async with asyncio.timeout(20):
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


# T7 on the real disk, with the thread that commits.


class FailingDisk(RealDisk):
    """Its n-th operation of a kind fails."""

    kind, left, code = "", 0, 0

    @classmethod
    def reach(cls, kind: str) -> None:
        cls.left -= kind == cls.kind
        if kind == cls.kind and not cls.left:
            raise OSError(cls.code, os.strerror(cls.code))

    def create(self, name: str) -> File:
        self.reach("create")
        return super().create(name)


def failing(kind: str) -> Callable[..., None]:
    do = getattr(RealFile, kind)

    def reach_and_do(file: RealFile, *arguments: object) -> None:
        FailingDisk.reach(kind)
        do(file, *arguments)

    return reach_and_do


class Callers:
    """Senders and a consumer of one store, and what they were told until all was sent or the disk had failed."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self.accepted: set[bytes] = set()
        self.acked: set[bytes] = set()
        self.unknown: set[bytes] = set()
        """Acks whose outcome is unknown."""

    async def use(self) -> None:
        async with asyncio.timeout(20):
            calls = (self._send(1), self._send(2), self._send(3), self._consume())
            ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(end is None or isinstance(end, StoreFailed) for end in ends), ends

    async def _send(self, sender: int) -> None:
        for number in range(12):
            body = b"%d.%d" % (sender, number) * 20
            with suppress(StoreUnavailable):  # there was no room for this one, or the store has failed
                await self._store.send(Q, [Plain(body)], 2)
                self.accepted.add(body)

    async def _consume(self) -> None:
        for _ in range(12):
            for delivery in await self._store.receive(Q, "g", 1, 60_000, 2):
                body = delivery.message.body
                self.unknown.add(body)
                assert await self._store.ack(Q, "g", [delivery], 2) == {}
                self.unknown.discard(body)
                self.acked.add(body)


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
@pytest.mark.parametrize("kind", ["write", "sync", "allocate", "create", "truncate"])
async def test_an_error_of_the_disk_loses_nothing_and_nobody_hangs(
    kind: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F15, F16: each caller is answered, and what was accepted is there in the next life."""
    monkeypatch.setattr(wal, "AHEAD_BYTES", 2_000)
    monkeypatch.setattr(life, "RealDisk", FailingDisk)
    for method in ("write", "sync", "allocate", "truncate"):
        monkeypatch.setattr(RealFile, method, failing(method))
    FailingDisk.kind, FailingDisk.code = kind, code
    errors = 0
    for nth in (1, 2, 3, 5, 8, 13, 21):
        FailingDisk.left = 0
        path = tmp_path / f"{kind}-{nth}"
        store = LogStore(path, segment_bytes=1_000)
        await store.open(1)
        await store.create_queue(Q, Settings(), 1)
        FailingDisk.left = nth
        callers = Callers(store)
        await callers.use()
        errors += FailingDisk.left <= 0
        FailingDisk.left = 0
        await store.close()
        store = LogStore(path)
        await store.open(70_000)
        found = {each.message.body for each in await store.receive(Q, "g", 1_000, 0, 70_000)}
        assert found >= callers.accepted - callers.acked - callers.unknown
        assert not found & callers.acked
        await store.close()
    print(f"{kind}, {errno.errorcode[code]}: {errors} injected errors, 0 accepted lost, 0 acked came back, 0 hangs")
    assert errors >= 2

"""The thread with a loop: what blocking callers get when others stop it, interrupt them, or come too late."""

import asyncio
import threading

import pytest

from crossdock import QueueClosed
from crossdock.client import loop_thread
from crossdock.client.loop_thread import LoopThread

PATIENCE = 30.0


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


async def test_it_works_beside_another_loop() -> None:
    thread = LoopThread()
    assert thread.run(answer()) == 42
    thread.stop()


def test_errors_come_through() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    thread = LoopThread()
    with pytest.raises(ZeroDivisionError):
        thread.run(fail())
    thread.stop()


def test_after_the_stop_it_refuses() -> None:
    before = set(threading.enumerate())
    thread = LoopThread()
    thread.stop()
    with pytest.raises(QueueClosed, match="the connection is closed"):
        thread.run(answer())
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("stubborn", [False, True])
def test_stop_leaves_no_caller_hanging(stubborn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "GRACE_SECONDS", 0.0 if stubborn else PATIENCE)
    thread = LoopThread()
    started = threading.Event()
    ending = asyncio.Event()
    results: list[object] = []

    async def work() -> str:
        started.set()
        await ending.wait()
        for _ in range(100):  # Far from done when the loop is told to stop.
            await asyncio.sleep(0)
        return "done"

    async def end() -> None:
        ending.set()

    def call() -> None:
        try:
            results.append(thread.run(work()))
        except QueueClosed as error:
            results.append(str(error))

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    assert started.wait(PATIENCE)
    if not stubborn:
        thread.run(end())
    thread.stop()
    caller.join(PATIENCE)
    assert results == ["the connection was closed meanwhile" if stubborn else "done"]


def test_ctrl_c_cancels_what_the_caller_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = LoopThread()
    cancelled = threading.Event()
    schedule = asyncio.run_coroutine_threadsafe

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupted(*args: object) -> object:
        future = schedule(*args)  # type: ignore[arg-type]
        future.result = interrupt  # type: ignore[method-assign]
        return future

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            thread.run(work())
    assert cancelled.wait(PATIENCE)
    thread.stop()

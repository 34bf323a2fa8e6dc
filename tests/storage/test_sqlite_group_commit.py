"""Concurrent calls of one process share commits, and none of them suffers for another."""

import asyncio
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from crossdock.core.errors import QueueNotFound
from crossdock.core.model import Message, Receipt, SendResult, Settings
from crossdock.storage.sqlite import SqliteStore
from crossdock.testing.driver import START, Driver, address, ids

Q = address("q")
SENDERS = 200


class Steps(Counter[str]):
    """Counts the steps of a store; its writer can be held up before a commit."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.go.set()

    def __call__(self, step: str) -> None:
        self[step] += 1
        if step == "before-commit":
            assert self.go.wait(30)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queues.db"


async def opened(path: Path, steps: Steps) -> SqliteStore:
    store = SqliteStore(path, failpoint=steps)
    await store.open(START)
    await store.create_queue(Q, Settings(), START)
    return store


def reopened(path: Path) -> Driver:
    return Driver(SqliteStore(path))


async def test_concurrent_sends_share_commits_and_are_all_durable(path: Path) -> None:
    steps = Steps()
    store = await opened(path, steps)
    before = steps["after-commit"]
    results = await asyncio.gather(*(store.send(Q, [Message(b"%d" % n)], START) for n in range(SENDERS)))
    assert steps["after-commit"] - before < SENDERS / 10
    await store.close()
    sent = [message_id for result in results for message_id in result.ids]
    assert sorted(sent) == list(range(1, SENDERS + 1))
    await asyncio.to_thread(check_stored, path, sent)


def check_stored(path: Path, expected: list[int]) -> None:
    with reopened(path) as store:
        stats = store.stats()
        assert (stats.stored, stats.totals.sent) == (len(expected), len(expected))
        assert ids(store.browse(limit=1_000)) == sorted(expected)


async def test_nobody_is_answered_before_the_commit(path: Path) -> None:
    """F13."""
    steps = Steps()
    store = await opened(path, steps)
    steps.go.clear()
    send = asyncio.ensure_future(store.send(Q, [Message(b"a")], START))
    done, _ = await asyncio.wait({send}, timeout=0.05)
    assert not done
    steps.go.set()
    assert (await send).ids == [1]
    await store.close()


async def test_the_calls_of_a_group_each_get_their_own_answer(path: Path) -> None:
    steps = Steps()
    store = await opened(path, steps)
    await store.send(Q, [Message(b"a"), Message(b"b")], START)
    first, second = await store.receive(Q, "g", 2, 1_000, START)
    answers: list[Any] = await asyncio.gather(
        store.send(Q, [Message(b"c")], START),
        store.send(address("missing"), [Message(b"c")], START),
        store.ack(Q, "g", [first], START),
        store.ack(Q, "g", [Receipt(second.id, 99, second.generation)], START),
        store.send(Q, [Message(b"d"), Message(b"e")], START),
        store.stats(Q, START),
        return_exceptions=True,
    )
    first_send, missing, acked, stale, second_send, stats = answers
    assert (first_send.ids, second_send.ids) == ([3], [4, 5])
    assert isinstance(missing, QueueNotFound)
    assert (acked, list(stale)) == ({}, [0])
    assert stats.stored == 4
    await store.close()


async def test_a_call_that_fails_spoils_no_other_of_its_group(path: Path) -> None:
    steps = Steps()
    store = await opened(path, steps)
    unfit = Message("text where bytes belong")  # type: ignore[arg-type]
    sends = [store.send(Q, [message], START) for message in (Message(b"a"), unfit, Message(b"b"))]
    answers = await asyncio.gather(*sends, return_exceptions=True)
    assert [isinstance(answer, SendResult) for answer in answers] == [True, False, True]
    stats = await store.stats(Q, START)
    assert (stats.stored, stats.bytes, stats.totals.sent) == (2, 2, 2)
    await store.close()


async def test_cancelling_callers_leaves_whole_messages_and_true_counts(path: Path) -> None:
    """F10: what was asked for is done or not; the caller's end changes nothing of it."""
    steps = Steps()
    store = await opened(path, steps)
    steps.go.clear()
    sends = [asyncio.ensure_future(store.send(Q, [Message(b"a"), Message(b"b")], START)) for _ in range(20)]
    await asyncio.sleep(0)
    for send in sends[::2]:
        send.cancel()
    steps.go.set()
    answers = await asyncio.gather(*sends, return_exceptions=True)
    kept = [message_id for answer in answers if isinstance(answer, SendResult) for message_id in answer.ids]
    assert len(kept) == 20
    stats = await store.stats(Q, START)
    assert stats.stored == stats.totals.sent == stats.ready
    assert stats.stored % 2 == 0
    await store.close()
    await asyncio.to_thread(check_among_stored, path, kept, stats.stored)


def check_among_stored(path: Path, kept: list[int], stored: int) -> None:
    with reopened(path) as store:
        found = ids(store.browse(limit=1_000))
    assert len(found) == stored
    assert set(kept) <= set(found)


async def test_a_receive_whose_caller_went_away_comes_back_with_its_lease(path: Path) -> None:
    """F10."""
    steps = Steps()
    store = await opened(path, steps)
    await store.send(Q, [Message(b"a")], START)
    steps.go.clear()
    receive = asyncio.ensure_future(store.receive(Q, "g", 1, 100, START))
    await asyncio.sleep(0)
    receive.cancel()
    steps.go.set()
    assert (await store.stats(Q, START)).leased == 1
    [again] = await store.receive(Q, "g", 1, 100, START + 100)
    assert again.attempt == 2
    await store.close()


async def test_closing_finishes_what_was_accepted(path: Path) -> None:
    steps = Steps()
    store = await opened(path, steps)
    sends = [asyncio.ensure_future(store.send(Q, [Message(b"a")], START)) for _ in range(SENDERS)]
    await asyncio.sleep(0)
    await store.close()
    results = await asyncio.gather(*sends)
    await asyncio.to_thread(check_stored, path, [result.ids[0] for result in results])


async def test_any_loop_may_call(path: Path) -> None:
    store = await opened(path, Steps())

    def elsewhere() -> list[int]:
        return asyncio.run(send_one()).ids

    async def send_one() -> SendResult:
        return await store.send(Q, [Message(b"a")], START)

    sent = await asyncio.gather(*(asyncio.to_thread(elsewhere) for _ in range(4)))
    assert sorted(sent) == [[1], [2], [3], [4]]
    await store.close()

"""Who waits is told of changes: of this process by queue, of others within 100 ms (F30)."""

import asyncio
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossdock.core.model import Address, Message, Settings
from crossdock.storage.sqlite import SqliteStore
from crossdock.testing.driver import Driver, address

News = tuple[Address | None, int]


class Ear:
    """Hears what a store tells."""

    def __init__(self, driver: Driver) -> None:
        self._heard: queue.SimpleQueue[News] = queue.SimpleQueue()
        driver.store.watch(lambda where, count: self._heard.put((where, count)))

    def next(self) -> News:
        return self._heard.get(timeout=10)

    def silent(self, seconds: float) -> bool:
        """Whether nothing more is heard in that time."""
        try:
            self._heard.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Driver, Driver]]:
    """Two stores on one file, as two processes have them."""
    with Driver(SqliteStore(tmp_path / "queues.db")) as one, Driver(SqliteStore(tmp_path / "queues.db")) as other:
        one.create()
        other.stats()
        yield one, other


def test_a_commit_of_another_process_is_told(pair: tuple[Driver, Driver]) -> None:
    one, other = pair
    ear = Ear(other)
    one.send("a")
    assert ear.next() == (None, 0)
    assert ear.silent(0.1)


def test_own_changes_are_told_by_queue(pair: tuple[Driver, Driver]) -> None:
    one, _ = pair
    one.stats()
    ear = Ear(one)
    one.send("a", "b")
    assert ear.next() == (address("q"), 2)
    one.take()
    assert ear.next() == (address("q"), 0)
    one.stats()
    one.peek()
    assert ear.silent(0.1)


def test_who_no_longer_watches_is_told_nothing(pair: tuple[Driver, Driver]) -> None:
    one, other = pair
    ear = Ear(other)
    other.store.watch(None)
    other.stats()
    one.send("a")
    other.stats()
    while not ear.silent(0.1):
        assert other.stats().stored == 1


def test_each_sees_at_once_what_the_other_committed(pair: tuple[Driver, Driver]) -> None:
    one, other = pair
    for turn in range(20):
        sender, receiver = (one, other) if turn % 2 else (other, one)
        [sent] = sender.send("a")
        delivery = receiver.take()
        assert delivery.id == sent
        assert sender.ack(delivery) == {}
    assert one.stats() == other.stats()
    assert one.stats().totals.acked == 20


NOW = 1_700_000_000_000


async def two_queues_change_at_once(store: SqliteStore) -> None:
    await asyncio.gather(*(store.send(address(name), [Message(b"x")], NOW) for name in "ab"))
    assert (await store.stats(address("a"), NOW)).stored == 1


async def opened_with_two_queues(folder: Path) -> SqliteStore:
    store = SqliteStore(folder / "queues.db")
    await store.open(NOW)
    for name in "ab":
        await store.create_queue(address(name), Settings(), NOW)
    return store


async def test_whoever_watches_may_cease_at_any_moment(tmp_path: Path) -> None:
    store = await opened_with_two_queues(tmp_path)
    told: list[Address | None] = []

    def changed(where: Address | None, count: int) -> None:
        store.watch(None)
        told.append(where)

    store.watch(changed)
    await two_queues_change_at_once(store)
    await store.close()
    assert told


async def test_a_watcher_that_fails_stops_nothing_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await opened_with_two_queues(tmp_path)

    def changed(where: Address | None, count: int) -> None:
        raise ZeroDivisionError

    store.watch(changed)
    await two_queues_change_at_once(store)
    await store.close()
    assert "a watcher of the store failed" in caplog.text

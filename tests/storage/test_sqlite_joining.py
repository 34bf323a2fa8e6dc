"""Sends inside a caller's transaction: both become true with its commit, or neither."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import apsw
import pytest

from crossdock.core.errors import (
    CrossdockError,
    DedupConflict,
    InvalidArgument,
    MessageExpired,
    QueueClosed,
    QueueFull,
    QueueNotFound,
    StoreUnavailable,
)
from crossdock.core.model import Address, Message, SendResult, Settings
from crossdock.storage.base import JoinsTransactions, Store
from crossdock.storage.sqlite import SqliteStore
from crossdock.testing.contract import DurabilityContract, StoreContract
from crossdock.testing.driver import START, Driver, address, bodies, ids
from crossdock.testing.power_loss import PowerLossVfs

Q = address("q")


class SendsWithin(SqliteStore):
    """Every send is part of a transaction: of one that rolls back, and then of one that commits."""

    async def send(self, address: Address, messages: Sequence[Message], now: int) -> SendResult:
        with closing(await asyncio.to_thread(connected, self._path)) as connection:
            for end in ("ROLLBACK", "COMMIT"):
                connection.execute("BEGIN IMMEDIATE")
                try:
                    result = await self.send_within(connection, address, messages, now, None)
                except CrossdockError:
                    connection.execute("COMMIT")
                    raise
                connection.execute(end)
        return result


class TestSendsWithin(StoreContract, DurabilityContract):
    """All rules of the queue hold for such sends."""

    def make_store(self, folder: Path) -> Store:
        return SendsWithin(folder / "queues.db")

    # The commit is the caller's, so to the store it is one of another process: who waits is woken by the notice of it,
    # not by the next tick, and each connection keeps the latest time of its own.
    test_each_queue_is_named_once = None  # type: ignore[assignment]
    test_every_verb_first_does_what_is_due = None  # type: ignore[assignment]
    test_time_never_falls = None  # type: ignore[assignment]


def connected(path: Path) -> apsw.Connection:
    """A connection as a program has it; it waits for the store's own transactions."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(30_000)
    return connection


class Shop(NamedTuple):
    """A store, and a program's own table in the same file."""

    store: Driver
    path: Path
    db: apsw.Connection

    def order(self, name: str) -> None:
        self.db.execute("INSERT INTO orders VALUES (?)", (name,))

    def orders(self) -> list[str]:
        return [name for (name,) in self.db.execute("SELECT name FROM orders ORDER BY rowid")]

    def send(self, *texts: str, queue: str = "q", settings: Settings | None = None, **fields: object) -> SendResult:
        """Send inside the open transaction."""
        messages = [Message(text.encode(), **fields) for text in texts]  # type: ignore[arg-type]
        return self.send_all(self.db, messages, queue, settings)

    def send_all(
        self, connection: object, messages: Sequence[Message], queue: str = "q", settings: Settings | None = None
    ) -> SendResult:
        store = self.store.store
        assert isinstance(store, JoinsTransactions)
        return self.store.call(store.send_within(connection, address(queue), messages, self.store.now, settings))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    path = tmp_path / "queues.db"
    with Driver(SqliteStore(path)) as store:
        store.create()
        store.create("small", max_messages=1)
        with closing(connected(path)) as db:
            db.execute("CREATE TABLE orders (name TEXT)")
            yield Shop(store, path, db)


def test_a_commit_makes_both_true(shop: Shop) -> None:
    shop.db.execute("BEGIN IMMEDIATE")
    shop.order("tea")
    assert shop.send("tea", "cake").ids == [1, 2]
    assert shop.send("more").ids == [3]
    shop.db.execute("COMMIT")
    assert shop.orders() == ["tea"]
    assert shop.store.send("next") == [4]
    assert bodies(shop.store.receive()) == ["tea", "cake", "more", "next"]
    stats = shop.store.stats()
    assert (stats.stored, stats.bytes, stats.totals.sent) == (4, 15, 4)


def test_nothing_is_seen_before_the_commit(shop: Shop) -> None:
    shop.db.execute("BEGIN IMMEDIATE")
    shop.send("tea")
    with closing(connected(shop.path)) as other:
        assert other.execute("SELECT count(*) FROM messages").get == 0
    shop.db.execute("COMMIT")
    assert bodies(shop.store.receive()) == ["tea"]


def test_after_a_rollback_nothing_is_left(shop: Shop) -> None:
    """Neither message nor order, nor an id, a count or a dedup id; the store's own counters are right too."""
    shop.store.send("before")
    before = shop.store.stats()
    shop.db.execute("BEGIN IMMEDIATE")
    shop.order("tea")
    assert shop.send("tea", dedup_id="d").ids == [2]
    assert shop.send("made", queue="new", settings=Settings(max_attempts=1)).ids == [3]
    shop.db.execute("ROLLBACK")
    assert (shop.orders(), shop.store.stats()) == ([], before)
    assert "new" not in [name for _, name in shop.store.queues()]
    assert shop.store.send("another body", dedup_id="d") == [2]
    assert bodies(shop.store.receive()) == ["before", "another body"]


def test_the_queue_is_made_in_the_transaction(shop: Shop) -> None:
    shop.db.execute("BEGIN IMMEDIATE")
    shop.send("a", queue="new", settings=Settings(max_attempts=7))
    shop.send("b", queue="new", settings=Settings(max_attempts=9))
    shop.db.execute("COMMIT")
    assert bodies(shop.store.receive(queue="new")) == ["a", "b"]
    assert shop.store.stats("new").settings.max_attempts == 7


def missing_queue(shop: Shop) -> None:
    shop.send("a", queue="missing")


def full_queue(shop: Shop) -> None:
    shop.send("a", "b", queue="small")


def full_new_queue(shop: Shop) -> None:
    """The queue that was made for it goes as well."""
    shop.send("a", "b", queue="missing", settings=Settings(max_messages=1))


def other_body(shop: Shop) -> None:
    shop.send("other", dedup_id="seen")


def expired(shop: Shop) -> None:
    shop.send("a", ttl=10, delay=10)


def no_connection(shop: Shop) -> None:
    shop.send_all("conn", [Message(b"a")])


REFUSALS: list[tuple[Callable[[Shop], None], type[CrossdockError]]] = [
    (missing_queue, QueueNotFound),
    (full_queue, QueueFull),
    (full_new_queue, QueueFull),
    (other_body, DedupConflict),
    (expired, MessageExpired),
    (no_connection, InvalidArgument),
]


@pytest.mark.parametrize(("refused", "error"), REFUSALS, ids=lambda each: each.__name__)
def test_a_refused_send_changes_nothing_and_the_transaction_goes_on(
    shop: Shop, refused: Callable[[Shop], None], error: type[CrossdockError]
) -> None:
    shop.store.send("first", dedup_id="seen")
    shop.db.execute("BEGIN IMMEDIATE")
    shop.order("tea")
    shop.send("tea")
    with pytest.raises(error):
        refused(shop)
    shop.order("cake")
    assert shop.send("cake").ids == [3]
    shop.db.execute("COMMIT")
    assert shop.orders() == ["tea", "cake"]
    assert bodies(shop.store.receive()) == ["first", "tea", "cake"]
    assert (shop.store.stats().totals.sent, shop.store.stats("small").stored) == (3, 0)
    assert "missing" not in [name for _, name in shop.store.queues()]


def test_what_breaks_off_changes_nothing_either(tmp_path: Path) -> None:
    """F5, F10: in the midst of what fell due, as Ctrl-C might."""
    broken = True

    def failpoint(step: str) -> None:
        if broken and step == "dead-letter-copied":
            raise InterruptedError

    path = tmp_path / "queues.db"
    with Driver(SqliteStore(path, failpoint=failpoint)) as store, closing(connected(path)) as db:
        shop = Shop(store, path, db)
        db.execute("CREATE TABLE orders (name TEXT)")
        store.create(max_attempts=1)
        store.send("dying")
        store.take(lease=100)
        store.later(100)
        begun(db)
        shop.order("tea")
        with pytest.raises(InterruptedError):
            shop.send("a")
        db.execute("COMMIT")
        assert (shop.orders(), db.execute("SELECT count(*) FROM messages").get) == (["tea"], 1)
        broken = False
        begun(db)
        shop.send("b")
        db.execute("COMMIT")
        assert (bodies(store.browse()), bodies(store.browse(queue="q.dlq"))) == (["b"], ["dying"])


def test_a_full_disk_tells_that_the_transaction_is_over(shop: Shop) -> None:
    """F16: SQLite rolls all of it back by itself."""
    shop.db.pragma("max_page_count", shop.db.pragma("page_count") + 5)
    shop.db.execute("BEGIN IMMEDIATE")
    shop.order("tea")
    with pytest.raises(StoreUnavailable, match=r"disk is full.*rolled back the whole transaction"):
        shop.send("x" * 100_000)
    assert not shop.db.in_transaction
    assert (shop.orders(), shop.store.stats().stored) == ([], 0)
    shop.db.pragma("max_page_count", 10_000)
    shop.db.execute("BEGIN IMMEDIATE")
    shop.send("x" * 100_000)
    shop.db.execute("COMMIT")
    assert shop.store.stats().stored == 1


# Connections that will not do


def of_sqlite3(shop: Shop) -> object:
    return sqlite3.connect(":memory:")


def in_memory(shop: Shop) -> object:
    return begun(apsw.Connection(":memory:"))


def of_another_file(shop: Shop) -> object:
    return begun(apsw.Connection(str(shop.path.with_name("other.db"))))


def with_the_file_attached(shop: Shop) -> object:
    other = apsw.Connection(":memory:")
    other.execute("ATTACH ? AS store", (str(shop.path),))
    return begun(other)


def closed(shop: Shop) -> object:
    connection = connected(shop.path)
    connection.close()
    return connection


def without_transaction(shop: Shop) -> object:
    return connected(shop.path)


def only_reading(shop: Shop) -> object:
    connection = connected(shop.path)
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM orders").fetchall()
    return connection


def not_synced(shop: Shop) -> object:
    connection = connected(shop.path)
    connection.pragma("synchronous", "NORMAL")
    return begun(connection)


def with_a_hiding_table(shop: Shop) -> object:
    connection = connected(shop.path)
    connection.execute("CREATE TEMP TABLE Messages (key, body)")
    return begun(connection)


def begun(connection: apsw.Connection) -> apsw.Connection:
    connection.execute("BEGIN IMMEDIATE")
    return connection


UNFIT = {
    of_sqlite3: "must be an apsw.Connection",
    in_memory: "the store's file .* as its main database, got ''",
    of_another_file: "as its main database, got '/",
    with_the_file_attached: "as its main database",
    closed: "must be open",
    without_transaction: "begin it with BEGIN IMMEDIATE",
    only_reading: "begin it with BEGIN IMMEDIATE",
    not_synced: "synchronous=FULL or EXTRA .*, got 'NORMAL'",
    with_a_hiding_table: "temporary table .*, got 'Messages'",
}


@pytest.mark.parametrize("unfit", UNFIT, ids=lambda each: each.__name__)
def test_a_connection_that_will_not_do_is_refused(shop: Shop, unfit: Callable[[Shop], object]) -> None:
    connection = unfit(shop)
    with pytest.raises(InvalidArgument, match=UNFIT[unfit]) as refused:
        shop.send_all(connection, [Message(b"a")])
    assert refused.value.field == "connection"
    connection.close()  # type: ignore[attr-defined]
    assert shop.store.stats().stored == 0


def test_one_file_by_two_names_is_one_file(shop: Shop) -> None:
    link = shop.path.with_name("link.db")
    link.symlink_to(shop.path)
    with closing(begun(connected(link))) as connection:
        assert shop.send_all(connection, [Message(b"a")]).ids == [1]
        connection.execute("COMMIT")
    assert shop.store.stats().stored == 1


def test_the_callers_connection_stays_as_it_is(shop: Shop) -> None:
    shop.db.execute("BEGIN IMMEDIATE")
    shop.order("tea")
    row = shop.db.last_insert_rowid()
    shop.db.row_trace = lambda cursor, values: {"row": values}
    shop.send("a", dedup_id="d")
    shop.send("a", dedup_id="d")
    assert shop.db.last_insert_rowid() == row
    assert shop.db.execute("SELECT name FROM orders").fetchall() == [{"row": ("tea",)}]
    shop.db.execute("COMMIT")
    assert shop.store.stats().stored == 1


def test_a_savepoint_of_the_caller_takes_its_sends_back(shop: Shop) -> None:
    shop.db.execute("BEGIN IMMEDIATE")
    shop.send("a")
    shop.db.execute("SAVEPOINT crossdock")  # even one by our name
    assert shop.send("b").ids == [2]
    shop.db.execute("ROLLBACK TO crossdock")
    assert shop.send("c").ids == [2]
    shop.db.execute("COMMIT")
    assert bodies(shop.store.receive()) == ["a", "c"]


# The store that is joined


def test_a_closed_store_says_so(shop: Shop) -> None:
    shop.store.call(shop.store.store.close())
    shop.db.execute("BEGIN IMMEDIATE")
    with pytest.raises(QueueClosed):
        shop.send("a")


def test_a_store_that_gave_up_takes_nothing(tmp_path: Path) -> None:
    """F15."""
    broken = False

    def failpoint(step: str) -> None:
        if broken and step == "before-commit":
            raise apsw.IOError("disk I/O error")

    path = tmp_path / "queues.db"
    with Driver(SqliteStore(path, failpoint=failpoint)) as store, closing(connected(path)) as db:
        store.create()
        broken = True
        with pytest.raises(StoreUnavailable):
            store.send("unknown")
        broken = False
        with pytest.raises(StoreUnavailable, match="reopen the store"):
            Shop(store, path, begun(db)).send("a")


def test_who_watches_learns_of_the_commit(shop: Shop) -> None:
    """F30: from its own process and from another one."""
    news: SimpleQueue[tuple[Address | None, int]] = SimpleQueue()
    shop.store.store.watch(lambda where, count: news.put((where, count)))

    def hear_of_own_send() -> None:
        shop.store.send("own")
        while news.get(timeout=30) != (Q, 1):
            continue

    hear_of_own_send()
    begun(shop.db)
    shop.send("never")
    shop.db.execute("ROLLBACK")
    begun(shop.db)
    shop.send("a")
    shop.db.execute("COMMIT")
    assert news.get(timeout=30) == (None, 0)
    hear_of_own_send()
    live(shop.path, "commit")
    assert news.get(timeout=30) == (None, 0)
    assert bodies(shop.store.receive()) == ["own", "a", "own", "b"]


SENDERS = 4
EACH = 25


def send_within_in_turns(store: SqliteStore, path: Path, name: str) -> list[int]:
    """What a thread of the program does: every third of its transactions rolls back."""

    async def send(db: apsw.Connection, body: bytes) -> SendResult:
        return await store.send_within(db, Q, [Message(body), Message(body)], START, None)

    sent = []
    with closing(connected(path)) as db:
        for turn in range(EACH):
            begun(db)
            result = asyncio.run(send(db, name.encode()))
            db.execute("INSERT INTO orders VALUES (?)", (name,))
            db.execute("COMMIT" if turn % 3 else "ROLLBACK")
            sent += result.ids if turn % 3 else []
    return sent


async def test_senders_of_both_kinds_share_the_file(tmp_path: Path) -> None:
    path = tmp_path / "queues.db"
    store = SqliteStore(path)
    await store.open(START)
    await store.create_queue(Q, Settings(), START)
    with closing(connected(path)) as db:
        db.execute("CREATE TABLE orders (name TEXT)")
    within = [asyncio.to_thread(send_within_in_turns, store, path, f"thread {n}") for n in range(SENDERS)]

    async def send_in_turns() -> list[int]:
        return [(await store.send(Q, [Message(b"own")], START)).ids[0] for _ in range(EACH)]

    lists = await asyncio.gather(*within, *(send_in_turns() for _ in range(SENDERS)))
    sent = [message_id for each in lists for message_id in each]
    committed = SENDERS * 2 * len([turn for turn in range(EACH) if turn % 3])
    assert len(set(sent)) == len(sent) == committed + SENDERS * EACH
    stats = await store.stats(Q, START)
    assert stats.stored == stats.ready == stats.totals.sent == len(sent)
    assert sorted(ids(await store.browse(Q, "g", 1_000, START))) == sorted(sent)
    await store.close()
    with closing(connected(path)) as db:
        assert db.execute("SELECT count(*) FROM orders").get == committed / 2
        assert db.execute("PRAGMA integrity_check").get == "ok"


# Deaths: a child sends in a transaction and ends where it is told to.


def live(path: Path, end: str) -> None:
    """Have a child order `b` and send it; it dies before its commit or after it, or ends by itself."""
    child = subprocess.run([sys.executable, __file__, path, end], timeout=60)
    assert child.returncode == (0 if end == "commit" else 9)


@pytest.mark.parametrize(("end", "expected"), [("die before", []), ("die after", ["b"])])
def test_a_killed_caller_leaves_both_or_neither(shop: Shop, end: str, expected: list[str]) -> None:
    """F13."""
    live(shop.path, end)
    assert shop.orders() == expected
    assert bodies(shop.store.receive()) == expected
    assert shop.store.stats().totals.sent == len(expected)


LOSSES = 150


def test_no_committed_send_is_lost_with_the_power_and_no_order_without_its_message(tmp_path: Path) -> None:
    """F13: accepted is what the caller committed."""
    live_folder = tmp_path / "live"
    live_folder.mkdir()
    path = live_folder / "queues.db"
    committed: list[tuple[int, str]] = []
    with PowerLossVfs() as disk, Driver(SqliteStore(path)) as store:
        store.create()
        with closing(connected(path)) as db:
            db.execute("CREATE TABLE orders (name TEXT)")
            db.wal_autocheckpoint(20)  # losses fall into the caller's checkpoints too
            shop = Shop(store, path, db)
            begin_at = disk.position
            for number in range(40):
                name = str(number)
                begun(db)
                shop.order(name)
                shop.send(name)
                db.execute("COMMIT" if number % 4 else "ROLLBACK")
                if number % 4:
                    committed.append((disk.position, name))
        end = disk.position
    chance = random.Random(11)
    for loss in range(LOSSES):
        position = chance.randint(begin_at, end)
        after = tmp_path / str(loss)
        after.mkdir()
        disk.after_loss(position, after, chance.random if loss % 2 else None)
        accepted = [name for committed_at, name in committed if committed_at <= position]
        with Driver(SqliteStore(after / "queues.db")) as store, closing(connected(after / "queues.db")) as db:
            sent = bodies(store.browse(limit=1_000))
            assert Shop(store, after, db).orders() == sent, "one without the other"
            assert sent[: len(accepted)] == accepted, "an accepted message was lost"
            assert sent in ([name for _, name in committed[:count]] for count in range(len(committed) + 1))


if __name__ == "__main__":
    file, told_end = Path(sys.argv[1]), sys.argv[2]
    with Driver(SqliteStore(file)) as own, closing(connected(file)) as own_db:
        own_shop = Shop(own, file, begun(own_db))
        own_shop.order("b")
        own_shop.send("b")
        if told_end == "die before":
            os._exit(9)
        own_db.execute("COMMIT")
        if told_end == "die after":
            os._exit(9)

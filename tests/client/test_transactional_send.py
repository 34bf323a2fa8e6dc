"""`send(..., connection=...)`: the message is part of the caller's transaction, in both flavours, or is refused."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

import crossdock
from crossdock import InvalidArgument, Message, QueueClosed
from served import ServerThread


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with queues, and with a table of the program's."""
    file = tmp_path / "shop.db"
    with crossdock.connect(f"sqlite:///{file}") as mq:
        mq.queue("orders").create()
        with closing(apsw.Connection(str(file))) as db:
            db.execute("CREATE TABLE orders (name TEXT)")
    return file


@pytest.fixture
def db(path: Path) -> Iterator[apsw.Connection]:
    """The program's connection. Its `with` begins transactions that write from the start."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.set_busy_timeout(10_000)
        connection.transaction_mode = "IMMEDIATE"
        yield connection


def order(db: apsw.Connection, name: str) -> None:
    db.execute("INSERT INTO orders VALUES (?)", (name,))


@contextmanager
def rolled_back(db: apsw.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    yield
    db.execute("ROLLBACK")


def orders(db: apsw.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM orders")]


def test_order_and_message_come_together(path: Path, db: apsw.Connection) -> None:
    with crossdock.connect(f"sqlite:///{path}") as mq:
        queue = mq.queue("orders")
        with db:
            order(db, "tea")
            assert queue.send({"order": "tea"}, dedup_id="tea", connection=db) == 1
            assert queue.send_many(["b", Message("c", priority=-1)], connection=db) == [2, 3]
        assert [message.body for message in queue.receive(10)] == [b"c", b'{"order":"tea"}', b"b"]
    assert orders(db) == ["tea"]


def test_order_and_message_go_together(path: Path, db: apsw.Connection) -> None:
    with crossdock.connect(f"sqlite:///{path}") as mq:
        with rolled_back(db):
            order(db, "tea")
            mq.queue("new", max_attempts=3).send("tea", connection=db)
        assert (orders(db), mq.queues()) == ([], ["orders"])


async def test_asyncio_has_it_too(path: Path, db: apsw.Connection) -> None:
    async with crossdock.aio.connect(f"sqlite:///{path}") as mq:
        queue = mq.queue("orders")
        with db:
            order(db, "tea")
            assert await queue.send("tea", connection=db) == 1
            assert await queue.send_many(["cake"], connection=db) == [2]
        with rolled_back(db):
            await queue.send("never", connection=db)
        assert [message.text() for message in await queue.receive(10)] == ["tea", "cake"]
    assert orders(db) == ["tea"]


def test_the_first_use_of_a_handle_makes_the_queue_again_after_a_rollback(path: Path, db: apsw.Connection) -> None:
    with crossdock.connect(f"sqlite:///{path}") as mq:
        queue = mq.queue("new", max_attempts=3)
        with rolled_back(db):
            queue.send("a", connection=db)
        with db:
            queue.send("b", connection=db)
        queue.send("c")
        assert [message.text() for message in queue.receive(10)] == ["b", "c"]
        assert queue.stats().settings.max_attempts == 3


def test_a_waiting_receive_gets_it_after_the_commit(path: Path, db: apsw.Connection) -> None:
    """F30."""
    with crossdock.connect(f"sqlite:///{path}") as mq, ThreadPoolExecutor() as threads:
        queue = mq.queue("orders")
        waiting = threads.submit(queue.receive, wait="30s")
        with db:
            queue.send("tea", connection=db)
        assert [message.text() for message in waiting.result(30)] == ["tea"]


@pytest.mark.parametrize("options", [{"priority": 10_000}, {"headers": {"": ""}}, {"dedup_id": ""}])
def test_arguments_are_checked(path: Path, db: apsw.Connection, options: dict[str, object]) -> None:
    with crossdock.connect(f"sqlite:///{path}") as mq, db:
        with pytest.raises(InvalidArgument):
            mq.queue("orders").send("a", connection=db, **options)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="queue"):
            mq.queue("no such name").send("a", connection=db)
        with pytest.raises(InvalidArgument, match="lease"):
            mq.queue("new", lease="1000d").send("a", connection=db)
        order(db, "tea")
    assert orders(db) == ["tea"]


def test_sqlite3_is_refused_with_the_reason(path: Path) -> None:
    reason = r"connection must be an apsw\.Connection .*copy of SQLite"
    with (
        crossdock.connect(f"sqlite:///{path}") as mq,
        closing(sqlite3.connect(":memory:")) as db,
        pytest.raises(InvalidArgument, match=reason) as told,
    ):
        mq.queue("orders").send("a", connection=db)
    assert told.value.field == "connection"


def test_a_closed_connection_says_so(path: Path, db: apsw.Connection) -> None:
    with crossdock.connect(f"sqlite:///{path}") as mq:
        queue = mq.queue("orders")
    with db, pytest.raises(QueueClosed):
        queue.send("a", connection=db)


def test_a_store_without_transactions_refuses(db: apsw.Connection) -> None:
    with crossdock.connect("memory://") as mq, db:
        with pytest.raises(InvalidArgument, match="no transactions") as told:
            mq.queue("orders").send("a", connection=db)
        assert (told.value.field, mq.queues()) == ("connection", [])


def test_a_server_refuses(db: apsw.Connection) -> None:
    with ServerThread("memory://") as server, crossdock.connect(server.url) as mq, db:
        with pytest.raises(InvalidArgument, match="not a server") as told:
            mq.queue("orders").send_many(["a"], connection=db)
        assert (told.value.field, mq.queues()) == ("connection", [])

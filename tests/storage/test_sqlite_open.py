"""What is checked and set when a SQLite file is opened, and what an operator is told when it cannot be used."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from crossdock.core.errors import QueueClosed, StoreUnavailable
from crossdock.core.model import Message, SendResult
from crossdock.core.policy import DEFAULTS
from crossdock.storage.sqlite import SqliteStore, connection, disk
from crossdock.storage.sqlite.migrations import APPLICATION_ID, scripts
from crossdock.storage.sqlite.session import Session
from crossdock.testing.driver import START, Driver, address, bodies


def opened(path: Path) -> Driver:
    return Driver(SqliteStore(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store's file with one message in it, closed."""
    file = tmp_path / "queues.db"
    with opened(file) as store:
        store.create()
        store.send("kept")
    return file


def refusal(path: Path) -> str:
    """The sentence with which opening fails."""
    with pytest.raises(StoreUnavailable) as caught:
        asyncio.run(SqliteStore(path).open(START))
    return str(caught.value)


def test_commits_are_durable_and_that_is_read_back(path: Path) -> None:
    """F18: neither setting is left to how SQLite was built."""
    database = connection.connect(path)
    assert (database.pragma("journal_mode"), database.pragma("synchronous")) == ("wal", 2)
    database.close()


def test_the_cache_is_bounded(path: Path) -> None:
    database = connection.connect(path)
    assert database.pragma("cache_size") == -connection.CACHE_KIB
    database.close()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_a_sqlite_that_can_lose_commits_is_refused(version: str) -> None:
    """F17."""
    with pytest.raises(StoreUnavailable, match=f"SQLite {version} can lose commits"):
        connection.check_version(version)


def test_the_bundled_sqlite_is_free_of_that_fault() -> None:
    """F17."""
    connection.check_version(apsw.sqlite_lib_version())
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= connection.SQLITE_MIN


def test_a_file_is_marked_as_ours_with_its_schema_version(path: Path) -> None:
    database = apsw.Connection(str(path))
    assert database.pragma("application_id") == APPLICATION_ID
    assert database.pragma("user_version") == max(scripts())
    database.close()


def test_a_newer_schema_is_refused(path: Path) -> None:
    """F39."""
    database = apsw.Connection(str(path))
    database.pragma("user_version", 999)
    database.close()
    assert "schema version 999" in refusal(path)
    assert "use a newer crossdock" in refusal(path)


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "theirs.db"
    database = apsw.Connection(str(file))
    database.execute("CREATE TABLE theirs (x)")
    database.close()
    before = file.read_bytes()
    assert "of another program" in refusal(file)
    assert file.read_bytes() == before


def test_what_is_not_a_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are my notes, " * 200)
    assert "is not a SQLite database" in refusal(file)


def test_a_damaged_file_is_refused(path: Path) -> None:
    """F40."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    assert "is damaged" in refusal(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(tmp_path)


def test_a_folder_that_is_a_file_is_refused(path: Path) -> None:
    assert str(path) in refusal(path / "queues.db")


def test_missing_folders_are_made(tmp_path: Path) -> None:
    with opened(tmp_path / "some" / "where" / "queues.db") as store:
        assert store.queues() == []


@contextmanager
def nobody() -> Iterator[None]:
    """Have no more rights than anyone, also when the tests run as root, whom no mode bit stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o755, 0o444), (0o555, 0o666)], ids=["file", "folder"])
def test_what_is_read_only_is_refused(folder_mode: int, file_mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "queues.db"
        with opened(file) as store:
            store.create()
        file.chmod(file_mode)
        folder.chmod(folder_mode)
        with nobody():
            told = refusal(file)
        folder.chmod(0o700)
    assert "read-only" in told or "cannot be opened" in told


def test_a_lock_that_is_not_let_go_is_told_and_outlived(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOCK_WAIT_MS", 20)
    other = apsw.Connection(str(path))
    with opened(path) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            store.send("refused")
        other.execute("ROLLBACK")
        store.send("accepted")
        assert bodies(store.receive()) == ["kept", "accepted"]
    other.close()


def limited(path: Path, pages: int) -> tuple[Driver, apsw.Connection]:
    """A store on a disk that is full when the file has that many pages, and its connection."""
    session = Session(connection.connect(path), DEFAULTS, START, lambda step: None)
    session.connection.pragma("max_page_count", pages)
    store = SqliteStore(path)

    async def open_limited(now: int) -> None:
        store._writer.start(session)

    store.open = open_limited  # type: ignore[method-assign]
    return Driver(store), session.connection


def test_a_full_disk_refuses_what_does_not_fit_and_nothing_else(path: Path) -> None:
    """F16."""
    driver, database = limited(path, 60)
    with driver as store:
        accepted = 10
        for _ in range(accepted):
            store.send("x" * 10_000)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            store.send("x" * 200_000)
        assert store.stats().stored == accepted + 1
        assert store.ack(store.take()) == {}
        database.pragma("max_page_count", 1_000)
        store.send("there is room again")
        assert store.stats().stored == accepted + 1


def test_sends_stop_while_there_is_room_left_for_acks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F16: here all of the disk is kept, so that the one at hand counts as full."""
    with opened(path) as store:
        store.send("b", "c")
        monkeypatch.setattr(disk, "ROOM_KEPT_BYTES", 2**62)
        monkeypatch.setattr(disk, "ROOM_KEPT_SHARE", 1)

        async def together() -> list[object]:
            sends = [store.store.send(address("q"), [Message(b"refused")], START) for _ in range(2)]
            return await asyncio.gather(*sends, return_exceptions=True)

        for refused in store.call(together()):
            assert isinstance(refused, StoreUnavailable)
            assert "are left, the last" in str(refused)
        kept, b, c = store.receive()
        assert (store.ack(kept), store.nack(b), store.reject(c)) == ({}, {}, {})
        assert bodies(store.browse(queue="q.dlq")) == ["c"]
        monkeypatch.undo()
        store.send("d")
        assert store.stats().totals.sent == 4


def test_a_file_that_is_gone_takes_no_sends(path: Path) -> None:
    with opened(path) as store:
        path.unlink()
        with pytest.raises(StoreUnavailable, match="No such file"):
            store.send("lost")


def test_a_call_that_does_not_fit_spoils_no_other_of_its_group(path: Path) -> None:
    """F16."""
    driver, _ = limited(path, 60)
    with driver as store:
        sizes = [10, 1_000_000, 20]
        import asyncio

        async def together() -> list[object]:
            sends = [store.store.send(address("q"), [Message(b"x" * size)], START) for size in sizes]
            return await asyncio.gather(*sends, return_exceptions=True)

        small, large, small_too = store.call(together())
        assert isinstance(large, StoreUnavailable)
        assert [type(small), type(small_too)] == [SendResult, SendResult]
        assert store.stats().bytes == len("kept") + 30


def test_after_a_failed_commit_nothing_is_accepted_until_the_file_is_opened_again(path: Path) -> None:
    """F15: what a failed fsync left behind is unknown, and the next one would say that all is well."""
    broken = False

    def failpoint(step: str) -> None:
        if broken and step == "before-commit":
            raise apsw.IOError("disk I/O error")

    with Driver(SqliteStore(path, failpoint=failpoint)) as store:
        store.send("accepted")
        broken = True
        with pytest.raises(StoreUnavailable, match="outcome of the last calls is unknown"):
            store.send("unknown")
        broken = False
        refusals = []
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="reopen the store") as refused:
                store.send("refused")
            refusals.append(refused.value)
        assert refusals[0] is not refusals[1], "one error raised again and again would keep the frames of every call"
    with opened(path) as store:
        assert bodies(store.receive())[:2] == ["kept", "accepted"]


def test_a_closed_store_says_so(path: Path) -> None:
    with opened(path) as store:
        store.call(store.store.close())
        with pytest.raises(QueueClosed):
            store.queues()


def test_the_last_to_close_leaves_one_file(path: Path) -> None:
    with opened(path) as first:
        first.send("in the log")
        assert path.with_name("queues.db-wal").exists()
    assert [file.name for file in path.parent.iterdir()] == ["queues.db"]

"""Opening the file: where it may lie, how SQLite is set up, what is checked before the first verb.

Checks at open: SQLite's version, the file system, the file's header and schema version always; the structure of every
page (`quick_check`) in files up to QUICK_CHECK_BYTES_MAX. Larger files would delay the start by their size; damage in
them is found when a page is read, and then the store refuses to go on.
"""

import os
import time
from pathlib import Path

import apsw

from crossdock.core.errors import StoreUnavailable
from crossdock.storage.folders import make_folder, network_file_system

from .migrations import migrate, schema_version
from .trouble import LOCK_WAIT_MS, unavailable

SQLITE_MIN = (3, 51, 3)
"""Earlier ones may lose commits when two connections write and checkpoint at once (F17)."""
CACHE_KIB = 16 * 1024
WAL_BYTES_KEPT = 64 * 1024 * 1024
"""The WAL file is cut back to this when a burst made it larger."""
QUICK_CHECK_BYTES_MAX = 32 * 1024 * 1024


def connect(path: Path) -> apsw.Connection:
    """Open, or create, the database of a store. Raises StoreUnavailable."""
    check_version(apsw.sqlite_lib_version())
    try:
        make_folder(path.parent)
        _check_file_system(path)
        connection = apsw.Connection(str(path))
    except OSError as error:
        raise StoreUnavailable(f"{error.filename} cannot be used: {error.strerror}") from error
    except apsw.Error as error:
        raise unavailable(error, str(path)) from error
    try:
        _set_up(connection, path)
    except apsw.Error as error:
        connection.close()
        raise unavailable(error, str(path)) from error
    except StoreUnavailable as error:
        connection.close()
        raise StoreUnavailable(f"{path}: {error}") from error
    return connection


def check_version(version: str) -> None:
    """Refuse a SQLite library that can corrupt the file."""
    if tuple(int(part) for part in version.split(".")[:3]) < SQLITE_MIN:
        needed = ".".join(map(str, SQLITE_MIN))
        raise StoreUnavailable(f"SQLite {version} can lose commits in WAL mode: update apsw to have {needed} or later")


def _check_file_system(path: Path) -> None:
    """Refuse network file systems: WAL needs memory shared between the processes (F18)."""
    kind = network_file_system(path.parent)
    if kind:
        raise StoreUnavailable(f"{path} lies on a network file system ({kind}), where SQLite cannot keep it safe")


def _set_up(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_handler(_wait_for_lock)
    schema_version(connection)
    if connection.readonly("main") or not os.access(path.parent, os.W_OK):
        raise apsw.ReadOnlyError("attempt to write a readonly database")
    if path.stat().st_size <= QUICK_CHECK_BYTES_MAX:
        _check_structure(connection)
    _demand(connection, "journal_mode", "wal")
    _demand(connection, "synchronous", 2)  # FULL: each commit is on disk before it is answered (F18)
    connection.pragma("cache_size", -CACHE_KIB)
    connection.pragma("journal_size_limit", WAL_BYTES_KEPT)
    migrate(connection)


def _wait_for_lock(tries: int) -> bool:
    """Try again in a ms. SQLite's own handler sleeps up to 100 ms, and who commits in a row would starve who waits."""
    time.sleep(0.001)
    return tries < LOCK_WAIT_MS


def _check_structure(connection: apsw.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        raise apsw.CorruptError(str(found))


def _demand(connection: apsw.Connection, pragma: str, value: str | int) -> None:
    """Set a pragma and read it back: SQLite ignores in silence what it cannot do."""
    connection.pragma(pragma, value)
    got = connection.pragma(pragma)
    if got != value:
        raise StoreUnavailable(f"SQLite keeps {pragma}={got!r} where {value!r} is needed")

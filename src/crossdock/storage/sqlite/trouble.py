"""SQLite's errors as StoreUnavailable, with a sentence an operator can act on."""

import apsw

from crossdock.core.errors import StoreUnavailable

LOCK_WAIT_MS = 5_000
"""How long a transaction waits for those of others."""

_SENTENCES: dict[type[apsw.Error], str] = {
    apsw.BusyError: f"{{path}} was locked by another process, or an open transaction, for {LOCK_WAIT_MS // 1000} s",
    apsw.FullError: "the disk is full: {path} cannot grow",
    apsw.ReadOnlyError: "{path} or its directory is read-only: let this user write to both",
    apsw.PermissionsError: "{path} may not be opened by this user",
    apsw.CantOpenError: "{path} cannot be opened: this user must be able to write to it and its directory",
    apsw.NotADBError: "{path} is not a SQLite database",
    apsw.CorruptError: "{path} is damaged: restore it from a backup, or save what can be read with SQLite's .recover",
    apsw.IOError: "reading or writing {path} failed: check the disk",
}

_FATAL = (apsw.IOError, apsw.CorruptError, apsw.NotADBError)


def unavailable(error: apsw.Error, path: str) -> StoreUnavailable:
    """The error to answer with."""
    for kind, sentence in _SENTENCES.items():
        if isinstance(error, kind):
            return StoreUnavailable(f"{sentence.format(path=path)} (SQLite: {error})")
    return StoreUnavailable(f"SQLite failed on {path}: {error}")


def is_fatal(error: Exception) -> bool:
    """Whether the connection may no longer be trusted: after a failed fsync the next one would lie (F15)."""
    return isinstance(error, _FATAL)

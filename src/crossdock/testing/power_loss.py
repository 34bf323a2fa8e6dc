"""A disk that can lose power: what SQLite wrote is kept apart from what it made durable.

A kill -9 proves nothing about fsync, as the operating system keeps what a dead process wrote. Here every write,
truncate, delete and sync goes through a VFS that writes it down, and `after_loss` lays out the files as a disk could
show them had the power failed after any of these operations: what was synced is there; of the rest each write may be
missing, whole, or torn.
"""

import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import apsw

from .medium import Chance, write, write_torn

_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL


class Operation(NamedTuple):
    """One thing that SQLite did to a file. `data` is None for all but a write."""

    kind: str
    file: str
    offset: int = 0
    """Of a truncate: the new size."""
    data: bytes | None = None
    folder: bool = False
    """Of a delete or sync: whether the folder was synced too, which makes deletes durable."""


class PowerLossVfs(apsw.VFS):
    """Use as a context manager: connections opened inside are recorded. One at a time in a process."""

    def __init__(self, name: str = "crossdock-power-loss") -> None:
        self._base = apsw.vfs_names()[0]
        self._log: list[Operation] = []
        self._lock = threading.Lock()
        super().__init__(name, self._base, makedefault=True)

    def __enter__(self) -> "PowerLossVfs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unregister()

    @property
    def position(self) -> int:
        """How many operations there were. What was answered at this position must survive a loss at or after it."""
        return len(self._log)

    def after_loss(self, position: int, folder: Path, chance: Chance | None = None) -> None:
        """Write into `folder` the files as they are when power failed after `position` operations.

        Without `chance` everything that was not synced is gone; with it, it decides what of that is left.
        """
        files: dict[str, _File] = {}
        for operation in self._log[:position]:
            files.setdefault(operation.file, _File()).follow(operation)
            if operation.folder:
                for file in files.values():
                    file.settle_delete()
        for name, file in files.items():
            content = file.after_loss(chance)
            if content is not None:
                (folder / name).write_bytes(content)

    def note(self, operation: Operation) -> None:
        with self._lock:
            self._log.append(operation)

    # What SQLite calls

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _RecordedFile(self, self._base, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.note(Operation("delete", Path(filename).name, folder=syncdir))
        super().xDelete(filename, syncdir)


class _RecordedFile(apsw.VFSFile):
    """A real file, except that a sync is only noted: the test machine keeps its power."""

    def __init__(self, disk: PowerLossVfs, base: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name if path else ""
        # SQLite's own VFS syncs the folder with the first sync of a journal that it may have made.
        self._new = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & _JOURNALS)
        super().__init__(base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._note("write", offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        super().xTruncate(newsize)
        self._note("truncate", newsize)

    def xSync(self, flags: int) -> None:
        self._note("sync", folder=self._new)
        self._new = False

    def _note(self, kind: str, offset: int = 0, data: bytes | None = None, folder: bool = False) -> None:
        if self._name:  # a file without a name is scratch space
            self._disk.note(Operation(kind, self._name, offset, data, folder))


class _File:
    """One file: what is durable (None: no file), and what was done since."""

    def __init__(self) -> None:
        self._durable: bytearray | None = None
        self._pending: list[Operation] = []

    def follow(self, operation: Operation) -> None:
        self._pending.append(operation)
        if operation.kind == "sync":
            self._durable = _apply(self._durable, self._pending, None)
            self._pending = []

    def settle_delete(self) -> None:
        """The folder was synced."""
        kinds = [operation.kind for operation in self._pending]
        if "delete" in kinds:
            self._durable = None
            self._pending = self._pending[len(kinds) - kinds[::-1].index("delete") :]

    def after_loss(self, chance: Chance | None) -> bytearray | None:
        return self._durable if chance is None else _apply(self._durable, self._pending, chance)


def _apply(content: bytearray | None, operations: list[Operation], chance: Chance | None) -> bytearray | None:
    """Change the content by the operations: all of them, or what `chance` leaves of them."""
    for operation in operations:
        if chance is not None and chance() < 0.5:
            continue
        if operation.kind == "delete":
            content = None
            continue
        content = bytearray() if content is None else content
        if operation.kind == "truncate":
            del content[operation.offset :]
        elif operation.data is not None:
            if chance is not None and chance() < 0.3:
                write_torn(content, operation.offset, operation.data, chance)
            else:
                write(content, operation.offset, operation.data)
    return content

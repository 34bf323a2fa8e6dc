"""An open log: its files, the thread that commits, the compaction now and then."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Settings
from crossdock.storage.wal.disk import RealDisk

from .committer import Committer
from .compaction import Compactor
from .opening import clear_away, clear_unfinished, open_journal, read_log

_log = logging.getLogger("crossdock.storage")


class Life:
    """From opening to `end`. Both block. Raises StoreUnavailable when the log cannot be used."""

    def __init__(
        self,
        path: Path,
        now: int,
        defaults: Settings,
        memory_bytes: int,
        segment_bytes: int,
        reached: Callable[[str], None],
    ) -> None:
        self._path = path
        try:
            self._disk = RealDisk(path)
            self._disk.lock()
            try:
                self._begin(now, defaults, memory_bytes, segment_bytes, reached)
            except BaseException:
                self._disk.close()
                raise
        except OSError as error:
            raise StoreUnavailable(f"{error.filename or path} cannot be used: {error.strerror}") from error
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{path}: {error}") from error

    def _begin(
        self, now: int, defaults: Settings, memory_bytes: int, segment_bytes: int, reached: Callable[[str], None]
    ) -> None:
        began = time.monotonic()
        for name in clear_unfinished(self._disk):
            _log.info("removed %s, which was never finished", name)
        state = read_log(self._disk, memory_bytes)
        cut, end = state.recovery.cut_bytes, state.recovery.end
        if cut:
            _log.warning("cut %d bytes of an unfinished write at byte %d of segment %d", cut, end.offset, end.segment)
        self.journal = open_journal(self._disk, state, now, defaults, segment_bytes)
        clear_away(self._disk, state.snapshot, state.needed)
        self._compactor = Compactor(self._disk, self._path, self.journal.wal, state.snapshot)
        self.committer = Committer(self.journal, reached, self._compactor.look)
        seconds = round(time.monotonic() - began, 3)
        _log.info("read the log", extra={"path": str(self._path), "commands": state.commands, "seconds": seconds})

    def end(self) -> None:
        """Commit what was appended, give everything back."""
        try:
            self.committer.stop()
            self._compactor.stop()
            self.journal.wal.close()
        finally:
            self._disk.close()

"""Compaction: the log so far becomes a snapshot, so that restart time and disk space follow what is stored.

It reads the files alone and does the commands again, in a process of its own: neither lock nor interpreter of the store
is held up. `python -m crossdock.storage.log.compaction FOLDER SEGMENT` makes the snapshot of all before that segment.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from crossdock.core.errors import StoreUnavailable
from crossdock.storage.wal.disk import Disk, RealDisk
from crossdock.storage.wal.wal import Wal

from .commands import FORMAT
from .opening import FIRST_SEGMENT, clear_away, clear_unfinished, read_log
from .snapshot import Head, snapshot_name, write_snapshot

COMPACT_AFTER_BYTES = 64 * 1024 * 1024
"""So much in whole segments, or as much as the last snapshot has, makes a new snapshot worth its while."""
RETRY_SECONDS = 2.0
"""Shortest pause after a compaction that failed."""

_log = logging.getLogger("crossdock.storage")


def compact(disk: Disk, segment: int) -> list[int]:
    """Make the snapshot of everything before `segment`; nothing is written there any more.

    Returns the segments before it that are still needed: they hold bodies. Raises StoreUnavailable, OSError.
    """
    state = read_log(disk, memory_bytes=0, stop=segment)
    first = state.recovery.record_after(segment)
    if first is None or first.sequence != state.recovery.sequence + 1:
        # Only what comes next says that all of it was read: a damaged end looks like an unfinished write (F12, F40).
        raise StoreUnavailable(f"segment {segment} does not go on where the segments before it end: one is damaged")
    head = Head(FORMAT, state.recovery.sequence, state.defaults)
    return write_snapshot(disk, segment, head, state.engine.dump(), str(os.getpid()))


class Compactor:
    """Compacts a log that is in use, now and then, in another process. `look` is called in one thread."""

    def __init__(self, disk: Disk, folder: Path, wal: Wal, snapshot: int) -> None:
        self._disk = disk
        self._folder = folder
        self._wal = wal
        self._snapshot = snapshot
        """Number of the newest snapshot, 0 without one."""
        self._enough = COMPACT_AFTER_BYTES
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def look(self, full: bool) -> None:
        """Start a compaction when enough was written since the last; on a full disk, when anything was."""
        whole = self._wal.written.number - max(self._snapshot, FIRST_SEGMENT)
        enough = whole > 0 if full else whole * self._wal.segment_bytes >= self._enough
        if not enough or time.monotonic() < self._not_before:
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._work, args=(self._wal.written.number,), name="crossdock-compactor", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End a compaction that is under way; the next life of the store does it again. Blocks."""
        with self._lock:
            self._stopped = True
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
        if self._thread is not None:
            self._thread.join()

    def _work(self, segment: int) -> None:
        began = time.monotonic()
        try:
            for _ in clear_unfinished(self._disk):
                pass  # of an attempt that failed; no other is under way
            needed = self._compact(segment)
            if needed is None:
                return
            self._snapshot = segment
            clear_away(self._disk, segment, needed)
            with closing(self._disk.open(snapshot_name(segment))) as file:
                self._enough = max(COMPACT_AFTER_BYTES, file.size())
        except (OSError, StoreUnavailable, ValueError) as error:
            took = time.monotonic() - began
            self._not_before = time.monotonic() + max(RETRY_SECONDS, 10 * took)
            _log.warning("the log was not compacted, which is tried again: %s", error)
        else:
            _log.info("compacted the log", extra={"segment": segment, "seconds": time.monotonic() - began})

    def _compact(self, segment: int) -> list[int] | None:
        """`compact` in another process. None when stopped."""
        with self._lock:
            if self._stopped:
                return None
            process = self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", __name__, str(self._folder), str(segment)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.PIPE,  # open for as long as we live: it ends when that does
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        with process:
            assert process.stdout is not None  # noqa: S101 - as asked for above
            said = process.stdout.read().decode(errors="replace").strip().rpartition("\n")[2]
        if self._stopped:
            return None
        if process.returncode:
            raise StoreUnavailable(said or f"the process ended with {process.returncode}")
        needed: list[int] = json.loads(said)
        return needed


def _end_with_owner() -> None:
    os.read(0, 1)  # not by sys.stdin, whose lock the interpreter wants when it ends
    os._exit(1)


def _main(folder: str, segment: str) -> None:
    threading.Thread(target=_end_with_owner, daemon=True).start()
    os.nice(10)  # whoever sends and receives goes first
    try:
        needed = compact(RealDisk(Path(folder)), int(segment))
    except (StoreUnavailable, OSError) as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(needed))


if __name__ == "__main__":
    _main(*sys.argv[1:])

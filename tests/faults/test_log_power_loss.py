"""T5: the log store loses power, again and again, at any operation of the disk; nothing that was promised is broken.

The store runs in process on a simulated disk that keeps apart what was written and what is durable. The losses fall
into commits, the change of segments, compactions and recoveries. CROSSDOCK_CAMPAIGN=1 has a million losses rather than
five thousand.
"""

import os
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from crossdock.core.errors import QueueNotFound, StoreUnavailable
from crossdock.storage.log.snapshot import UNFINISHED
from crossdock.storage.wal import record, recovery, wal
from crossdock.storage.wal.segment import Segment
from crossdock.testing.disk import SimulatedDisk, SimulatedFile
from crossdock.testing.medium import Medium
from faults.lineage import Lineage, reused_ids

LONG = os.environ.get("CROSSDOCK_CAMPAIGN") == "1"
LOSSES = 1_000_000 if LONG else 5_000
CAMPAIGNS = range(4)
LIVES = 20
"""Of one lineage."""
SEEDS_MAX = 150
"""By which a planted fault is caught."""
OPERATIONS_MAX = 60
"""Most operations on the disk in one life."""


@pytest.fixture(autouse=True)
def _no_room_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is allocated in small pieces, so that losses fall into that too."""
    monkeypatch.setattr(wal, "AHEAD_BYTES", 512)


def outcome(seed: int, tally: Counter[str], lives: int = LIVES) -> Counter[str]:
    """Let a lineage live and die; returns how often each promise was broken."""
    lineage = Lineage(seed)
    try:
        for _ in range(lives):
            lineage.live(lineage.random.randint(1, OPERATIONS_MAX))
        verdict = lineage.judge()
    except StoreUnavailable:
        return Counter(unreadable=1)  # the power fails, the disk does not: there is no damage to be told of
    except QueueNotFound:
        return Counter(queue_lost=1)
    finally:
        tally += lineage.tally
    tally["recovered"] += verdict.recovered
    broken = Counter({promise: len(found) for promise, found in verdict.violations.items()})
    return broken + Counter(ids_reused=len(reused_ids(lineage.events)))


def summary(tally: Counter[str]) -> str:
    interrupted = tally["openings begun"] - tally["openings"]
    return f"{tally['losses']} power losses, {interrupted} of them while recovering; {dict(sorted(tally.items()))}"


@pytest.mark.timeout(4 * 3600 if LONG else 120)
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_a_loss_of_power_breaks_no_promise(campaign: int) -> None:
    """F1, F3, F5, F11, F12, F13, F14, F24, F25."""
    tally: Counter[str] = Counter()
    seed = campaign
    while tally["losses"] < LOSSES / len(CAMPAIGNS):
        assert outcome(seed, tally) == {}, f"seed {seed}"
        seed += len(CAMPAIGNS)
    print(summary(tally), "0 lost, 0 phantom, 0 resurrected, 0 corrupt")
    seen = ("accepted", "compactions", "snapshots read", "snapshots unfinished", "tails cut", "recovered", "reject")
    assert min(tally[what] for what in seen) > 0, "the campaign proves little"


# Negative controls: the same campaign finds each of these faults.


def ack_before_fsync(patch: pytest.MonkeyPatch) -> None:
    """F13."""

    def write(segment: Segment, offset: int, data: bytes) -> None:
        segment.file.write(offset, data)
        segment.written = max(segment.written, offset + len(data))

    patch.setattr(Segment, "write", write)


def no_cut_of_the_tail(patch: pytest.MonkeyPatch) -> None:
    """F12: new records go behind what is left of the unfinished ones."""

    begin = Segment.__init__

    def begin_behind(segment: Segment, number: int, file: SimulatedFile, position: int = 0) -> None:
        begin(segment, number, file, position)
        segment.position = segment.written = len(file.read(0, file.size()).rstrip(b"\0"))

    patch.setattr(recovery, "end_of_data", lambda read, offset, size: offset)
    patch.setattr(Segment, "__init__", begin_behind)


def no_crc(patch: pytest.MonkeyPatch) -> None:
    """F12, F40."""
    patch.setattr(record, "zlib", SimpleNamespace(crc32=lambda data, begin=0: 0))


def folder_not_synced(patch: pytest.MonkeyPatch) -> None:
    """F14."""
    patch.setattr(SimulatedDisk, "sync", lambda disk: None)


def snapshot_renamed_before_it_is_synced(patch: pytest.MonkeyPatch) -> None:
    late: dict[str, SimulatedFile] = {}
    create, rename, sync = SimulatedDisk.create, SimulatedDisk.rename, Medium.sync

    def create_late(disk: SimulatedDisk, name: str) -> SimulatedFile:
        file = create(disk, name)
        if name.endswith(UNFINISHED):
            late["file"] = file
        return file

    def sync_later(medium: Medium) -> None:
        if "file" not in late or late["file"]._medium is not medium:
            sync(medium)

    def rename_and_sync(disk: SimulatedDisk, old: str, new: str) -> None:
        rename(disk, old, new)
        disk.sync()
        late.pop("file").sync()

    patch.setattr(SimulatedDisk, "create", create_late)
    patch.setattr(SimulatedDisk, "rename", rename_and_sync)
    patch.setattr(Medium, "sync", sync_later)


def segments_removed_before_the_snapshot_is_durable(patch: pytest.MonkeyPatch) -> None:
    rename, sync = SimulatedDisk.rename, SimulatedDisk.sync
    skipped = [0]

    def begin_to_skip(disk: SimulatedDisk, old: str, new: str) -> None:
        rename(disk, old, new)
        skipped[0] = 4

    def skip(disk: SimulatedDisk) -> None:
        if skipped[0]:
            skipped[0] -= 1
        else:
            sync(disk)

    patch.setattr(SimulatedDisk, "rename", begin_to_skip)
    patch.setattr(SimulatedDisk, "sync", skip)


FAULTS: list[tuple[Callable[[pytest.MonkeyPatch], None], int, str]] = [
    (ack_before_fsync, 2, "lost"),
    (no_cut_of_the_tail, LIVES, "unreadable"),
    (no_crc, LIVES, "unreadable"),
    (folder_not_synced, 2, "lost"),
    (snapshot_renamed_before_it_is_synced, LIVES, "unreadable"),
    (segments_removed_before_the_snapshot_is_durable, LIVES, "unreadable"),
]


@pytest.mark.parametrize(("fault", "lives", "promise"), FAULTS, ids=lambda each: getattr(each, "__name__", ""))
def test_the_campaign_catches(
    fault: Callable[[pytest.MonkeyPatch], None], lives: int, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    seed = 0
    while not outcome(seed, Counter(), lives)[promise]:
        seed += 1
        assert seed < SEEDS_MAX, f"{fault.__name__} was not caught"
    print(f"{fault.__name__} was caught by seed {seed}: {promise}")

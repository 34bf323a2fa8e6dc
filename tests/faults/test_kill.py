"""T4: kill -9 at any moment and at named steps, again and again on one store; nothing that was promised is broken.

Histories are kept by the parent (F13: what was answered is durable) and judged by `crossdock.testing.verdict`.
CROSSDOCK_CAMPAIGN=1 runs 2,000 cycles of each store rather than 150, and 100 of the server rather than 10.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import apsw
import msgspec
import pytest

from crossdock import StoreUnavailable, aio
from crossdock.storage.log.snapshot import find_snapshots
from crossdock.storage.wal.disk import RealDisk
from crossdock.testing.history import read
from crossdock.testing.verdict import Verdict, check
from faults.child import Life
from faults.workload import Workload, connect, drain, sender_of, set_up, to_repeat
from served import STOP_SECONDS, Served

TESTS = Path(__file__).parent.parent
LONG = os.environ.get("CROSSDOCK_CAMPAIGN") == "1"
CAMPAIGNS = ((0, 1), (2, 3), (4, 5))
"""Their seeds; two run at a time."""
CYCLES = 334 if LONG else 25
SERVER_CYCLES = 100 if LONG else 10
STEPS = {
    ".db": ("before-commit", "after-commit", "dead-letter-copied"),
    ".log": ("before-write", "after-sync", "after-sync"),
}
"""Where children die by their own hand, by the suffix of the store."""
HITS_MAX = {"before-commit": 80, "after-commit": 80, "dead-letter-copied": 4, "before-write": 80, "after-sync": 80}
LINES_MAX = 400
"""Most lines that a child is let write before it is killed."""


def campaign(path: Path, history: Path, seed: int, cycles: int, faulty: bool = False) -> Counter[str]:
    """Let children live and die on one store. Returns how many died of what."""
    asyncio.run(begin(path))
    random = Random(seed)
    deaths: Counter[str] = Counter()
    repeat: list[str] = []
    for cycle in range(cycles):
        step = "" if faulty else (*STEPS[path.suffix], "", "", "")[cycle % 6]
        together = 2 if cycle % 6 == 5 and path.suffix == ".db" else 1  # processes that share the file die one by one
        hit = random.randint(1, HITS_MAX[step]) if step else 0
        lives = []
        for letter in "xy"[:together]:
            own = [name for name in repeat if sender_of(name) == letter]
            lives.append(Life(str(path), f"{cycle}{letter}", own, step, hit, faulty))
        moments = [(random.choice((0, *(random.randint(1, LINES_MAX),) * 5)), random.random()) for _ in lives]
        print(f"cycle {cycle}: {(step, hit) if step else moments}")
        with ThreadPoolExecutor() as threads, history.open("ab") as kept:
            told = [line for lines in threads.map(live_and_die, lives, moments) for line in lines]
            kept.writelines(told)
        repeat = to_repeat(repeat, read(told))
        deaths[step or "any moment"] += together
    return deaths


async def begin(path: Path) -> None:
    async with connect(path) as mq:
        await set_up(mq)


def live_and_die(life: Life, moment: tuple[int, float]) -> list[bytes]:
    """Start a child and kill it when it wrote so many lines, and a little later; returns its whole lines."""
    lines_until, later = moment
    command = [sys.executable, "-m", "faults.child", msgspec.json.encode(life).decode()]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            lines = []
            if not life.failpoint:
                lines = [child.stdout.readline() for _ in range(lines_until)]
                with suppress(subprocess.TimeoutExpired):
                    child.wait(later * (0.005 if lines_until else 0.25))
                child.kill()
            lines += child.stdout.readlines()
        finally:
            child.kill()
    assert child.returncode == -signal.SIGKILL, f"the child ended by itself: {life}"
    return [line for line in lines if line.endswith(b"\n")]


def judge(path: Path, history: Path) -> Verdict:
    drained = asyncio.run(drain(path))
    if path.suffix == ".db":
        with closing(apsw.Connection(str(path))) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return check(read(history.read_bytes().splitlines(keepends=True)), drained)


def summary(deaths: Counter[str], verdict: Verdict) -> str:
    kills = deaths.total()
    bound = "" if verdict.violations else f"; none in {kills} bounds the rate to {3 / kills:.2%} of the kills (95 %)"
    return f"{kills} kills {dict(deaths)}, {verdict}{bound}"


def campaign_and_verdict(folder: Path, suffix: str, seed: int) -> tuple[Counter[str], Verdict]:
    path, history = folder / f"queues-{seed}{suffix}", folder / f"history-{seed}.jsonl"
    deaths = campaign(path, history, seed, CYCLES)
    if suffix == ".log":
        assert find_snapshots(RealDisk(path)), "no compaction has ended"
    return deaths, judge(path, history)


@pytest.mark.timeout(3 * 3600 if LONG else 180)
@pytest.mark.parametrize("suffix", STEPS)
@pytest.mark.parametrize("seeds", CAMPAIGNS)
def test_a_kill_breaks_no_promise(seeds: tuple[int, ...], suffix: str, tmp_path: Path) -> None:
    """F1, F3, F5, F9, F10, F13, F25, F41."""
    with ThreadPoolExecutor() as threads:
        outcomes = list(threads.map(lambda seed: campaign_and_verdict(tmp_path, suffix, seed), seeds))
    for deaths, verdict in outcomes:
        print(summary(deaths, verdict))
        assert verdict.violations == {}
        assert min(verdict.accepted, verdict.duplicates) > 0, "the campaign proves little"
        assert all(deaths[step] * 2 * len(CAMPAIGNS) >= 10 for step in STEPS[suffix])


@pytest.mark.parametrize("suffix", STEPS)
def test_an_answer_before_the_commit_is_caught(suffix: str, tmp_path: Path) -> None:
    """F13, the negative control: the same campaign, with the fault planted."""
    path, history = tmp_path / f"queues{suffix}", tmp_path / "history.jsonl"
    deaths = campaign(path, history, 7, 3, faulty=True)
    verdict = judge(path, history)
    print(summary(deaths, verdict))
    assert verdict.lost


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Served]]:
    """Starts servers on one file; they end with the test."""
    started: list[Served] = []

    def start() -> Served:
        started.append(Served(tmp_path, "--store", "sqlite:///queues.db", "--http", "127.0.0.1:0"))
        started[-1].wait_until_open()
        return started[-1]

    yield start
    for served in started:
        served.process.kill()
        served.process.wait(STOP_SECONDS)
        for stream in (served.process.stderr, served.process.stdout):
            assert stream is not None
            stream.close()


async def use_and_kill(served: Served, process: str, repeat: list[str], lines_until: int) -> list[bytes]:
    """Use a server, kill it when its callers wrote so many lines, and let them notice; returns their lines."""
    lines: list[bytes] = []

    def write(line: bytes) -> None:
        lines.append(line)
        if len(lines) == lines_until:
            served.process.kill()

    async with aio.connect(served.url) as mq:
        await set_up(mq)
        with pytest.raises(ExceptionGroup) as broken:
            await Workload(mq, write, process).run(repeat)
    assert broken.value.split(StoreUnavailable)[1] is None
    return lines


@pytest.mark.timeout(3600 if LONG else 120)
def test_a_kill_of_the_server_breaks_no_promise(serve: Callable[[], Served], tmp_path: Path) -> None:
    """The same over HTTP, with the callers outside the process that dies."""
    random = Random(1)
    lines: list[bytes] = []
    deaths: Counter[str] = Counter()
    repeat: list[str] = []
    for cycle in range(SERVER_CYCLES):
        served = serve()
        told = asyncio.run(use_and_kill(served, f"{cycle}x", repeat, random.randint(1, LINES_MAX)))
        repeat = to_repeat(repeat, read(told))
        lines += told
        assert served.process.wait(STOP_SECONDS) == -signal.SIGKILL
        deaths["server"] += 1
    history = tmp_path / "history.jsonl"
    history.write_bytes(b"".join(lines))
    verdict = judge(tmp_path / "queues.db", history)
    print(summary(deaths, verdict))
    assert verdict.violations == {}
    assert min(verdict.accepted, verdict.duplicates) > 0, "the loop proves little"

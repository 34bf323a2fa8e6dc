"""`crossdock bench` as a user runs it, small. What it measures is not judged here."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from cli_run import run
from crossdock.bench.contest import Contest, Gauge, Sample, Side, run_contest, run_gauge
from crossdock.bench.report import BenchFailed, histogram, latencies
from crossdock.bench.versus import entries
from served import ServerThread

SMALL = ("--messages", "200", "--senders", "3", "--receivers", "2", "--seconds", "20", "--warmup", "0")
LATENCIES = {f"{what}_{each}_ms" for what in ("send", "trip") for each in ("p50", "p90", "p99", "p99.9", "max")}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        (("--batch", "7"), "memory"),
        (("--store", "sqlite:///bench.db"), "local"),
        (("--door", "http", "--batch", "3"), "memory"),
        (("--door", "http", "--store", "sqlite:///bench.db", "--rate", "1000"), "local"),
    ],
    ids=" ".join,
)
def test_load_reports_rates_latencies_faults_and_level(arguments: tuple[str, ...], level: str) -> None:
    result = run("bench", *SMALL, *arguments)
    assert result.code == 0, result.err
    whole = result.rows[0]
    assert set(whole["machine"]) == {"python", "implementation", "platform", "cores"}
    (row,) = whole["results"]
    assert (row["level"], row["sent"]) == (level, 200)
    assert (row["lost"], row["duplicate"], row["out_of_order"]) == (0, 0, 0)
    assert row["sent_per_s"] > 0 < row["received_per_s"]
    assert row.keys() >= LATENCIES
    assert 0 < row["trip_p50_ms"] <= row["trip_max_ms"]


def test_load_on_a_server_that_runs_leaves_nothing_there() -> None:
    with ServerThread("memory://", "key") as server:
        arguments = ("--door", "http", "--url", server.url)
        result = run("bench", *SMALL, *arguments, "--api-key", "key")
        assert result.code == 0, result.err
        assert result.rows[0]["results"][0]["level"] == "unknown"
        assert run("queue", "ls", "--url", server.url, "--api-key", "key").out == ""
        assert run("bench", *SMALL, *arguments).code == 1


@pytest.mark.parametrize("name", entries(quick=True))
def test_contest_is_run_by_turns_and_reported(name: str, folder: Path) -> None:
    result = run("bench", name, "--versus", "--quick", "--repeat", "2", "--out", "out.json")
    assert result.code == 0, result.err
    whole = result.rows[0]
    assert json.loads((folder / "out.json").read_text()) == whole
    (row,) = whole["results"]
    assert row["name"] == name
    assert row["level"] in ("memory", "local")
    assert row["limit"]
    assert row["target"].startswith("at ")
    if not name.startswith("rss"):
        assert len(row["samples"]) == 2
        assert row["ours_per_s"] > 0 < row["raw_per_s"]
    assert [path.name for path in folder.iterdir()] == ["out.json"]


def test_contest_takes_medians_of_sides_that_take_turns() -> None:
    turns = []

    def side(name: str, seconds: list[float]) -> Side:
        def measure(count: int) -> Sample:
            turns.append(name)
            return Sample(count, seconds.pop(0))

        return lambda folder: nullcontext(measure)

    contest = Contest(
        name="c",
        level="memory",
        ours=side("ours", [2.0, 4.0, 100.0]),
        raw=side("raw", [1.0, 1.0, 0.5]),
        against="",
        messages=8,
        target=0.25,
        limit="",
    )
    outcome = run_contest(contest, Path(), 3, lambda number: None)
    assert turns == ["ours", "raw", "raw", "ours", "ours", "raw"]
    assert (outcome.ours_per_s, outcome.raw_per_s, outcome.value, outcome.met) == (2.0, 8.0, 0.25, True)


def test_gauge_above_its_bound_is_not_met() -> None:
    gauge = Gauge(
        name="g", level="memory", measure=lambda folder, n: n, messages=3, unit="MB", target=2, limit="nothing"
    )
    outcome = run_gauge(gauge, Path())
    assert (outcome.value, outcome.met) == (3, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--rate", "-1"), "--rate must be a number"),
        (("--rate", "nan"), "--rate must be a number"),
        (("--size", "3"), "--size must be"),
        (("--batch", "0"), "--batch must be"),
        (("--senders", "0"), "--senders must be"),
        (("--repeat", "0"), "--repeat must be"),
        (("--store", "redis://x"), "store must begin with"),
        (("--url", "http://127.0.0.1:1"), "needs --door http"),
        (("embedded-send",), "needs --versus"),
        (("nothing-such", "--versus"), "must be one of embedded-send,"),
    ],
)
def test_misuse_is_told(arguments: tuple[str, ...], said: str) -> None:
    result = run("bench", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_server_that_does_not_answer_is_told() -> None:
    result = run("bench", "--door", "http", "--url", "http://127.0.0.1:1")
    assert (result.code, result.out) == (1, "")
    assert "cannot reach http://127.0.0.1:1" in result.err


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hdrh.histogram", None)
    with pytest.raises(BenchFailed, match=r"pip install 'crossdock\[bench\]'"):
        histogram()


def test_latencies_are_percentiles_in_ms() -> None:
    row = latencies("send", [ms * 1_000_000 for ms in range(1, 1001)])
    assert row["send_p50_ms"] == pytest.approx(500, rel=0.002)
    assert row["send_p99.9_ms"] == pytest.approx(999, rel=0.002)
    assert row["send_max_ms"] == pytest.approx(1000, rel=0.002)
    assert latencies("trip", [])["trip_p50_ms"] is None

"""crossdock worker: finding the program's worker, and running it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import crossdock
from cli_run import run
from working import WorkerProcess

PROGRAM = """\
import crossdock

worker = crossdock.Worker("sqlite:///jobs.db")
other = 7


@worker.handler("jobs")
def handle(message):
    print("handled", message.text())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a program in it."""
    (tmp_path / "shop_jobs.py").write_text(PROGRAM)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tasks.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "idle.py").write_text("import crossdock\n\nworker = crossdock.Worker('memory://')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("shop_jobs", "shop", "shop.tasks", "broken", "idle"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("shop_jobs", "target must be MODULE:NAME, such as jobs:worker, got 'shop_jobs'"),
        (":worker", "target must be MODULE:NAME"),
        ("shop_jobs:", "target must be MODULE:NAME"),
        ("shop/jobs.py:worker", "target must be MODULE:NAME"),
        (
            "nothing_here:worker",
            "target must name a module: there is no 'nothing_here' here, got 'nothing_here:worker'",
        ),
        ("shop.nothing:worker", "target must name a module: there is no 'shop.nothing' here"),
        ("shop_jobs.deeper:worker", "target must name a module: there is no 'shop_jobs.deeper' here"),
        ("shop_jobs:missing", "target must name a crossdock.Worker: shop_jobs has no 'missing'"),
        ("shop_jobs:other", "target must name a crossdock.Worker: 'other' is a int"),
        ("idle:worker", "worker must have a handler or a schedule"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_target_that_names_no_worker(target: str, told: str) -> None:
    result = run("worker", target)
    assert (result.code, result.out) == (2, "")
    assert f"crossdock: {told}" in result.err
    assert "Traceback" not in result.err


@pytest.mark.usefixtures("folder")
def test_fault_of_the_program_itself_is_shown_with_its_place() -> None:
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        run("worker", "broken:worker")


@pytest.mark.parametrize("target", ["shop_jobs:worker", "shop.tasks:worker"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_worker_runs_until_interrupted(folder: Path, target: str, number: signal.Signals) -> None:
    with crossdock.connect(f"sqlite:///{folder}/jobs.db") as mq:
        sent = mq.queue("jobs").send("x")
        with WorkerProcess(target, folder) as worker:
            done = worker.wait_for("attempt acked")
            assert (done["message_id"], done["queue"], done["level"]) == (sent, "jobs", "info")
            worker.process.send_signal(number)
            assert worker.end() == 0
        assert [record["event"] for record in worker.log] == ["working", "attempt acked", "stopping", "stopped"]


def test_store_that_cannot_be_used_is_told_in_a_sentence(folder: Path) -> None:
    (folder / "jobs.db").write_text("no database, and longer than the header of one would be" * 100)
    command = [sys.executable, "-m", "crossdock", "worker", "shop_jobs:worker"]
    result = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=30, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("crossdock: ")
    assert "Traceback" not in result.stderr

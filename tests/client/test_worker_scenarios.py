"""Workers as processes on one SQLite file, and what happened to each message, from their logs alone.

`pytest -s tests/client/test_worker_scenarios.py` prints the log lines that were judged.
"""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import crossdock
from working import Record, WorkerProcess, fates

HERE = Path(__file__).parent
Start = Callable[..., WorkerProcess]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def start(url: str) -> Iterator[Start]:
    """Starts workers; they end with the test."""
    with ExitStack() as stack:
        yield lambda **environ: stack.enter_context(WorkerProcess("jobs:worker", HERE, JOBS_URL=url, **environ))


@pytest.fixture
def mq(url: str) -> Iterator[crossdock.Connection]:
    with crossdock.connect(url) as connection:
        connection.queue("jobs", max_attempts=3, backoff="10ms").create()
        yield connection


def show(title: str, log: list[Record]) -> None:
    print(f"\n{title}", *map(json.dumps, log), sep="\n  ")


def starts(log: list[Record]) -> list[tuple[int, int]]:
    return [(record["message_id"], record["attempt"]) for record in log if record["event"] == "started"]


def test_worker_killed_in_mid_handler(start: Start, mq: crossdock.Connection) -> None:
    """F3, F4: the hand-out counts, and another worker gets the message when the lease ends."""
    sent = mq.queue("jobs").send("wait")
    victim = start()
    victim.wait_for("started")
    heir = start()
    heir.wait_for("working")
    heir.release()
    victim.process.kill()
    assert victim.end() == -signal.SIGKILL
    heir.wait_for("attempt acked")
    show("killed in mid-handler: the victim", victim.log)
    show("killed in mid-handler: the heir", heir.log)
    assert (starts(victim.log), fates(victim.log)) == ([(sent, 1)], {})
    assert (starts(heir.log), fates(heir.log)) == ([(sent, 2)], {sent: [("jobs", 2, "acked")]})
    assert mq.queue("jobs").stats().stored == 0


def test_handler_that_always_raises(start: Start, mq: crossdock.Connection) -> None:
    """A crash loop ends in the dead-letter queue, with the error."""
    sent = mq.queue("jobs").send("raise")
    worker = start()
    worker.wait_for("dead")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end() == 0
    show("always raises", worker.log)
    nacked = [("jobs", attempt, "nacked") for attempt in (1, 2, 3)]
    assert fates(worker.log) == {sent: [*nacked, ("jobs.dlq", 1, "acked")]}
    errors = {record["error"] for record in worker.log if record.get("outcome") == "nacked"}
    (letter,) = [record for record in worker.log if record["event"] == "dead"]
    assert errors == {"ValueError: no such customer"} == {letter["headers"]["x-error"]}
    assert (letter["headers"]["x-reason"], letter["headers"]["x-attempts"]) == ("attempts", "3")


def test_handler_that_rejects(start: Start, mq: crossdock.Connection) -> None:
    sent = mq.queue("jobs").send("reject")
    worker = start()
    worker.wait_for("attempt acked")
    show("rejects", worker.log)
    assert fates(worker.log) == {sent: [("jobs", 1, "rejected"), ("jobs.dlq", 1, "acked")]}
    (letter,) = [record for record in worker.log if record["event"] == "dead"]
    assert (letter["headers"]["x-error"], letter["headers"]["x-reason"]) == ("not ours", "rejected")


def test_handler_longer_than_three_leases(start: Start, mq: crossdock.Connection) -> None:
    """F44: the lease is extended while the handler blocks its thread; the other worker never gets the message."""
    sent = mq.queue("jobs").send("long")
    workers = [start()]
    workers[0].wait_for("started")
    workers.append(start())
    workers[1].wait_for("working")
    workers[0].wait_for("attempt acked")
    for worker in workers:
        worker.process.send_signal(signal.SIGINT)
        assert worker.end() == 0
    log = workers[0].log + workers[1].log
    show("longer than three leases", log)
    assert (starts(log), fates(log)) == ([(sent, 1)], {sent: [("jobs", 1, "acked")]})
    (record,) = [record for record in log if "outcome" in record]
    assert record["seconds"] > 3


def test_interrupt_lets_ten_handlers_finish(start: Start, mq: crossdock.Connection) -> None:
    sent = mq.queue("jobs").send_many(["wait"] * 11)
    worker = start()
    worker.wait_for("started", 10)
    worker.process.send_signal(signal.SIGINT)
    worker.wait_for("stopping")
    worker.release()
    assert worker.end() == 0
    show("Ctrl-C, ten handlers finish", worker.log)
    assert sorted(starts(worker.log)) == [(each, 1) for each in sent[:10]]
    assert fates(worker.log) == {each: [("jobs", 1, "acked")] for each in sent[:10]}
    (waiting,) = mq.queue("jobs").receive(10)
    assert (waiting.id, waiting.attempt) == (sent[10], 1)


def test_interrupt_gives_ten_messages_back_at_the_deadline(start: Start, mq: crossdock.Connection) -> None:
    sent = mq.queue("jobs").send_many(["wait"] * 10)
    worker = start(JOBS_GRACE="100ms")
    worker.wait_for("started", 10)
    worker.process.send_signal(signal.SIGINT)
    assert worker.end() == 0, "its threads are still blocked"
    show("Ctrl-C, ten messages given back", worker.log)
    assert fates(worker.log) == {each: [("jobs", 1, "returned")] for each in sent}
    assert {delivery.id: delivery.attempt for delivery in mq.queue("jobs").receive(10)} == dict.fromkeys(sent, 2)


def test_second_interrupt_ends_at_once(start: Start, mq: crossdock.Connection) -> None:
    sent = mq.queue("jobs").send_many(["wait"] * 10)
    worker = start()
    worker.wait_for("started", 10)
    worker.process.send_signal(signal.SIGINT)
    worker.wait_for("stopping")
    worker.process.send_signal(signal.SIGINT)
    assert worker.end() == 130
    show("Ctrl-C twice", worker.log)
    assert fates(worker.log) == {}
    again = start()
    again.release()
    again.wait_for("attempt acked", 10)
    assert fates(again.log) == {each: [("jobs", 2, "acked")] for each in sent}

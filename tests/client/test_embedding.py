"""What `connect` may be told of the broker that it embeds, and what it finds in the environment."""

from pathlib import Path
from typing import Any

import pytest

import crossdock
from crossdock import InvalidArgument, QueueFull, aio
from crossdock.config import ConfigError
from crossdock.config.gomq import DEFAULT_OF
from crossdock.core.limits import BODY_BYTES_MAX

CONNECTS = pytest.mark.parametrize("connect", [crossdock.connect, aio.connect], ids=["blocking", "asyncio"])


@pytest.fixture(autouse=True)
def _no_gomq(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in DEFAULT_OF:
        monkeypatch.delenv(variable, raising=False)


@CONNECTS
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"defaults": [1]}, r"defaults must be a dict, got \[1\]"),
        ({"defaults": {"color": "red"}}, "defaults must be among lease, max_attempts, backoff, ttl"),
        ({"defaults": {"dead_letter": "d"}}, "defaults must be among lease"),
        ({"defaults": {"ttl": "soon"}}, "ttl must be a duration"),
        ({"defaults": {"max_messages": 0}}, "max_messages must be a whole number from 1"),
        ({"max_body_bytes": 0}, f"max_body_bytes must be a whole number from 1 to {BODY_BYTES_MAX}, got 0"),
        ({"max_body_bytes": BODY_BYTES_MAX + 1}, "max_body_bytes must be a whole number from 1"),
        ({"max_body_bytes": "1MB"}, "max_body_bytes must be a whole number from 1"),
        ({"metrics_interval": 0}, "metrics_interval must be a whole number from 1 to 86400000 ms"),
        ({"metrics_interval": "25h"}, "metrics_interval must be a whole number from 1"),
        ({"metrics_interval": "often"}, "metrics_interval must be a duration"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(connect: Any, settings: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        connect("memory://", **settings)


@CONNECTS
@pytest.mark.parametrize("url", [7, b"memory://", Path("jobs.db"), ["memory://"]], ids=repr)
def test_a_url_is_text(connect: Any, url: Any) -> None:
    with pytest.raises(InvalidArgument, match="url must be text"):
        connect(url)


@CONNECTS
@pytest.mark.parametrize("settings", [{"defaults": {}}, {"max_body_bytes": 1}, {"metrics_interval": 1}], ids=str)
def test_a_server_has_settings_of_its_own(connect: Any, settings: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"{next(iter(settings))} must be left to the server at that URL"):
        connect("http://127.0.0.1:1", **settings)


def test_defaults_hold_where_a_queue_says_nothing(url: str) -> None:
    with crossdock.connect(url, defaults={"max_messages": 1, "lease": "1h"}) as mq:
        mq.queue("q").send("a")
        (delivery,) = mq.queue("q").receive()
        assert delivery.lease_until - delivery.enqueued_at >= 3600
        with pytest.raises(QueueFull):
            mq.queue("q").send("b")
        mq.queue("own", max_messages=2).send_many(["a", "b"])
        assert mq.queue("own").stats().settings.max_messages == 2


def test_a_body_has_at_most_so_many_bytes(url: str) -> None:
    with crossdock.connect(url, max_body_bytes=3) as mq:
        mq.queue("q").send("abc")
        with pytest.raises(InvalidArgument, match="body must have at most 3 bytes, got '4 bytes'"):
            mq.queue("q").send_many(["a", "abcd"])
        assert mq.queue("q").stats().stored == 1


@CONNECTS
def test_without_url_and_variables_there_is_nothing_to_connect_to(connect: Any) -> None:
    with pytest.raises(InvalidArgument, match="url must be given where none of GOMQ_STORAGE, GOMQ_DATA_DIR"):
        connect()


@CONNECTS
def test_a_variable_that_makes_no_sense_names_itself(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMQ_STORAGE", "tape")
    with pytest.raises(ConfigError, match="environment variable GOMQ_STORAGE: GOMQ_STORAGE must be one of memory"):
        connect()


def test_variables_decide_and_arguments_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOMQ_STORAGE", "disk")
    monkeypatch.setenv("GOMQ_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GOMQ_MAX_MESSAGE_SIZE", "2B")
    with crossdock.connect(defaults={"max_messages": 1}) as mq:
        with pytest.raises(InvalidArgument, match="body must have at most 2 bytes"):
            mq.queue("q").send("abc")
        mq.queue("q").send("ab")
        with pytest.raises(QueueFull):
            mq.queue("q").send("c")
    with crossdock.connect(max_body_bytes=3) as mq:
        mq.queue("q").send("abc")
    assert (tmp_path / "gomq.db").exists()


def test_a_url_leaves_the_variables_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMQ_STORAGE", "tape")
    monkeypatch.setenv("GOMQ_MAX_MESSAGE_SIZE", "1B")
    with crossdock.connect("memory://") as mq:
        mq.queue("q").send("abc")
        assert mq.queue("q").stats().stored == 1

"""The lines of the QuickPulse contract on modes, WebSocket and metrics. The docstrings name the line.

Driven through real sockets: a server as a process of its own, the `websockets` client, httpx.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from crossdock.config import ConfigError, load
from crossdock.doors.websocket.door import PATHS
from served import Served

FREE_PORTS = {"CROSSDOCK_HTTP_PORT": "0", "CROSSDOCK_WS_PORT": "0", "CROSSDOCK_WS": "", "CROSSDOCK_GRPC": ""}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server in the mode WS_MODE, its ports apart."""
    served = Served(tmp_path, WS_MODE="1", **FREE_PORTS)
    try:
        served.wait_until_open()
        yield served
        assert served.stop(signal.SIGTERM) == 0
    finally:
        served.process.kill()
        served.process.communicate()


def ws_url(served: Served) -> str:
    (url,) = [url for url in served.log[-1]["urls"] if url.startswith("ws://")]
    assert isinstance(url, str)
    return url


def open_(served: Served, path: str) -> ClientConnection:
    return connect(ws_url(served) + path, proxy=None)


# Modes


def test_the_default_ports(tmp_path: Path) -> None:
    """`WS_MODE=1` WebSocket on 8081; Metrics on `http://host:8080/metrics` in every mode"""
    config = load({"WS_MODE": "1"}, folder=tmp_path)
    assert (config.ws.enabled, config.ws.port, config.grpc.enabled) == (True, 8081, False)
    assert (config.http.enabled, config.http.port) == (False, 8080)


@pytest.mark.parametrize("mode", ["RPC_MODE", "RPC_STREAM_MODE"])
def test_the_grpc_modes(tmp_path: Path, mode: str) -> None:
    """`RPC_MODE=1` gRPC unary on 50051; `RPC_STREAM_MODE=1` gRPC bidirectional streaming on 50051"""
    config = load({mode: "1"}, folder=tmp_path)
    assert (config.grpc.enabled, config.grpc.port, config.ws.enabled, config.http.enabled) == (
        True,
        50051,
        False,
        False,
    )


def test_in_memory_and_ephemeral(served: Served, tmp_path: Path) -> None:
    """In-memory, ephemeral, fast. One default queue."""
    assert served.log[-1]["store"] == "memory://"
    with open_(served, "/ws/publish") as publisher:
        publisher.send("a")
        assert publisher.recv() == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"WS_MODE": "1", "RPC_MODE": "1"}, "WS_MODE=1, RPC_MODE=1"),
        ({"RPC_MODE": "1", "RPC_STREAM_MODE": "1"}, "RPC_MODE=1, RPC_STREAM_MODE=1"),
        (
            {"WS_MODE": "1", "RPC_MODE": "1", "RPC_STREAM_MODE": "1"},
            "WS_MODE=1, RPC_MODE=1, RPC_STREAM_MODE=1",
        ),
        (
            {"WS_MODE": "0", "RPC_MODE": "0", "RPC_STREAM_MODE": "0"},
            "WS_MODE=0, RPC_MODE=0, RPC_STREAM_MODE=0",
        ),
        ({"WS_MODE": "0"}, "WS_MODE=0"),
    ],
)
def test_exactly_one_mode(tmp_path: Path, environ: dict[str, str], told: str) -> None:
    """Exactly one of the three must be 1 when any is set: several, or all explicitly 0, is an error that names them
    and exits non-zero"""
    command = [sys.executable, "-m", "crossdock", "serve"]
    result = subprocess.run(
        command, cwd=tmp_path, env=os.environ | environ, text=True, capture_output=True, timeout=30, check=False
    )
    assert (result.returncode, result.stdout) == (2, "")
    sentence = f"exactly one of WS_MODE, RPC_MODE, RPC_STREAM_MODE must be 1, got {told}"
    assert result.stderr == f"crossdock: environment: {sentence}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["true", "2", "yes"])
def test_a_mode_is_1_or_0(tmp_path: Path, value: str) -> None:
    """(the same)"""
    with pytest.raises(ConfigError, match=rf"^environment variable WS_MODE: must be 1 or 0, got '{value}'$"):
        load({"WS_MODE": value}, folder=tmp_path)


def test_one_mode_among_zeros_and_empty_ones(tmp_path: Path) -> None:
    """(the same)"""
    config = load({"WS_MODE": "1", "RPC_MODE": "0", "RPC_STREAM_MODE": ""}, folder=tmp_path)
    assert (config.ws.enabled, config.grpc.enabled) == (True, False)


# WebSocket


def test_publish(served: Served) -> None:
    """`/ws/publish`: each frame (binary or text) is enqueued; the answer is the text `ok` or `error: ...`"""
    with open_(served, "/ws/publish") as publisher, open_(served, "/ws/consume") as consumer:
        for body in ("text", b"\x00\xff", "grüße", b"", ""):
            publisher.send(body)
            assert publisher.recv() == "ok"
        for body in (b"text", b"\x00\xff", "grüße".encode(), b"", b""):
            consumer.send("next")
            assert consumer.recv() == body
    with open_(served, "/ws/publish?queue=missing") as publisher:
        publisher.send("a")
        assert publisher.recv() == "error: queue 'missing' does not exist"


def test_consume(served: Served) -> None:
    """`/ws/consume`: any frame asks for one message; the answer is the message as a binary frame, or the text
    `error: ...` when the queue is empty"""
    with open_(served, "/ws/publish") as publisher, open_(served, "/ws/consume") as consumer:
        publisher.send("a")
        publisher.recv()
        for question in ("next", b"", b"\xff", '{"do":"ack"}'):
            publisher.send("body")
            publisher.recv()
            consumer.send(question)
            assert isinstance(consumer.recv(), bytes)
        consumer.send("")
        assert consumer.recv() == b"body"
        consumer.send("")
        assert consumer.recv() == "error: queue 'default' is empty"


def test_one_queue_however_many_clients(served: Served) -> None:
    """One default queue."""
    with open_(served, "/ws/publish") as first, open_(served, "/ws/publish?queue=default") as second:
        for publisher in (first, second):
            publisher.send("a")
            publisher.recv()
    with open_(served, "/ws/consume") as one, open_(served, "/ws/consume") as other:
        for consumer in (one, other):
            consumer.send("next")
            assert consumer.recv() == b"a"


def test_the_additions_leave_the_above_as_it_is() -> None:
    """Crossdock adds, without changing the above: `?queue=` (default `default`), `?ack=1` for acknowledged delivery,
    `/ws/subscribe` for pushed messages with credit"""
    assert PATHS[:3] == ("/ws/publish", "/ws/consume", "/ws/subscribe")


# Metrics


def test_metrics_of_a_mode(served: Served) -> None:
    """Metrics on `http://host:8080/metrics` in every mode; enqueue and dequeue counts, errors, queue depth, latency
    histograms"""
    with open_(served, "/ws/publish") as publisher, open_(served, "/ws/consume") as consumer:
        for body in "abc":
            publisher.send(body)
            publisher.recv()
        consumer.send("next")
        consumer.recv()
    with open_(served, "/ws/publish?queue=missing") as publisher:
        publisher.send("a")
        publisher.recv()
    shown = dict(re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", httpx.get(f"{served.url}/metrics").text, re.MULTILINE))
    expected = {
        'mq_enqueue_total{queue="default"}': "3.0",
        'mq_dequeue_total{queue="default"}': "1.0",
        'mq_total_messages{queue="default"}': "2.0",
        'crossdock_verb_messages_total{queue="default",verb="send"}': "3.0",
        'crossdock_verb_messages_total{queue="default",verb="receive"}': "1.0",
        'crossdock_verb_errors_total{code="queue_not_found",queue="missing",verb="send"}': "1.0",
        'crossdock_verb_seconds_count{queue="default",verb="send"}': "3.0",
        'crossdock_ws_answer_seconds_count{path="/ws/publish"}': "4.0",
        'crossdock_ws_errors_total{code="queue_not_found",path="/ws/publish"}': "1.0",
    }
    assert {name: shown.get(name) for name in expected} == expected
    assert httpx.get(f"{served.url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{served.url}/healthz").text == "ok"
    assert httpx.get(f"{served.url}/api/v1/queues").status_code == 404, "a mode opens no HTTP door"

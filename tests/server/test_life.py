"""The life of a server as a process: start, serve, drain, stop, start again."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from served import ONE_DOOR, Served

ANY = ("--http", "127.0.0.1:0")
Serve = Callable[..., Served]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`crossdock serve`, where it is expected to end by itself."""
    command = [sys.executable, "-m", "crossdock", "serve", *arguments]
    env = os.environ | ONE_DOOR
    return subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, timeout=30, check=False)


def begin_to_wait(served: Served, queue: str, group: str) -> tuple[threading.Thread, list[httpx.Response]]:
    """A dequeue that waits for a minute, once it does; and where its response will be."""
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(served.dequeue(queue, group=group, wait="1m")))
    thread.start()
    while group not in served.get(f"{queue}/stats").json()["stats"]["groups"]:  # The first look makes the group.
        time.sleep(0.01)
    return thread, answers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_drains_and_nothing_is_lost(serve: Serve, number: int) -> None:
    served = serve("--store", "sqlite:///q.db", *ANY)
    assert served.post("jobs/create", {"lease": "300ms"}).status_code == 201
    for text in ("first", "second"):
        assert served.post("jobs/enqueue", {"message": text}).status_code == 202
    leased = served.dequeue("jobs").json()["message"]
    assert served.post("idle/create").status_code == 201
    thread, answers = begin_to_wait(served, "idle", "w")
    assert served.stop(number) == 0
    thread.join(30)
    assert [answer.status_code for answer in answers] == [204]

    again = serve("--store", "sqlite:///q.db", *ANY)
    got = [again.dequeue("jobs", wait="10s", lease="1m").json()["message"] for _ in range(2)]
    assert {message["payload"] for message in got} == {"first", "second"}
    (returned,) = [message for message in got if message["id"] == leased["id"]]
    assert (returned["payload"], returned["attempt"]) == ("first", 2)
    stale = {"group": "g", "message_id": leased["id"], "receipt": leased["receipt"]}
    assert again.post("jobs/ack", stale).status_code == 409
    for message in got:
        answer = {"group": "g", "message_id": message["id"], "receipt": message["receipt"]}
        assert again.post("jobs/ack", answer).status_code == 200
    assert again.stop(number) == 0


def test_port_in_use_is_told_in_a_sentence(serve: Serve, tmp_path: Path) -> None:
    served = serve("--store", "memory://", *ANY)
    address = served.url.removeprefix("http://")
    second = run(tmp_path, "--store", "memory://", "--http", address)
    assert (second.returncode, second.stdout) == (1, "")
    assert f"crossdock: cannot listen on {address}: " in second.stderr
    assert "address already in use" in second.stderr.lower()
    assert "Traceback" not in second.stderr
    assert httpx.get(f"{served.url}/health").status_code == 200


def test_configuration_error_exits_with_2_before_anything_opens(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("http: {prot: 1}\npersistence: {type: file}")
    result = run(tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "crossdock: config.yml: unknown key 'http.prot'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--store", "redis://x"), 2, "store must begin with memory://, sqlite:/// or log:///, not redis:"),
        (("--http", "8080"), 2, "--http: must be HOST:PORT or off, got '8080'"),
        (("--tls-cert", "c.pem"), 2, "--tls-cert: tls.cert needs tls.key beside it"),
        (("--log-level", "loud"), 2, "loud"),
        (("--store", "memory://", "--http", "256.0.0.1:0"), 1, "cannot listen on 256.0.0.1:0"),
        (("--store", "memory://", *ANY, "--tls-cert", "no.pem", "--tls-key", "no.pem"), 1, "no.pem"),
        (("--store", "sqlite:////proc/none/q.db", *ANY), 1, "/proc/none"),
    ],
)
def test_server_that_cannot_start_says_why(tmp_path: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = run(tmp_path, *arguments)
    assert result.returncode == code
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_without_configuration_the_store_is_a_file_and_made_with_its_folder(serve: Serve, tmp_path: Path) -> None:
    served = serve(*ANY)
    assert served.log[-1]["store"] == "sqlite:///data/crossdock.db"
    assert served.log[-1]["promise"] == "local"
    assert (tmp_path / "data" / "crossdock.db").is_file()


def test_configured_persistence_key_and_rate_are_in_force(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_KEY=hunter2\n")
    (tmp_path / "config.yml").write_text(
        "persistence: {type: file, options: {dirs-path: ./deep/er}}\nlease-duration: 250ms\n"
        "http: {port: 0, rate: {limit: 0.001, burst: 4}, auth: {api_key: '${API_KEY}'}}"
    )
    served = serve()
    assert served.post("q/create").status_code == 401
    key = {"X-API-Key": "hunter2"}
    assert served.post("q/create", headers=key).status_code == 201
    assert served.post("q/enqueue", {"message": 1}, headers=key).status_code == 202
    message = served.dequeue("q", headers=key).json()["message"]
    assert message["lease_until"] - message["enqueued_at"] < 250 + 10_000
    assert served.post("q/create", headers=key).status_code == 429
    assert (tmp_path / "deep" / "er" / "filedb_queue.db").is_file()
    assert served.stop(signal.SIGTERM) == 0
    assert "hunter2" not in served.rest()


def test_debug_produces_consumes_and_stops_with_the_server(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("debug: true\nhttp: {port: 0}")
    served = serve()
    assert served.wait_for("sent")["producer"].startswith("producer-")
    assert served.wait_for("acked")["consumer"].startswith("consumer-")
    assert served.wait_for("status")["queue"] == "debug"
    assert served.stop(signal.SIGINT) == 0
    assert '"level":"error"' not in served.rest()


def test_open_door_without_a_key_is_warned_of(serve: Serve) -> None:
    served = serve("--store", "memory://", "--http", "0.0.0.0:0", API_KEY="")
    assert any(record["level"] == "warning" and "NO API KEY" in record["event"] for record in served.log)


def test_tls_door_speaks_https_only(serve: Serve) -> None:
    """The certificate in this folder is self-signed, for 127.0.0.1, until 2126."""
    cert, key = (str(Path(__file__).with_name(name)) for name in ("cert.pem", "key.pem"))
    served = serve("--store", "memory://", *ANY, "--tls-cert", cert, "--tls-key", key)
    assert served.url.startswith("https://127.0.0.1:")
    assert served.get("queues", verify=ssl.create_default_context(cafile=cert)).status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(served.url.replace("https", "http"))
    command = [sys.executable, "-m", "crossdock", "queue", "create", "q", "--url", served.url]
    refused = subprocess.run(command, text=True, capture_output=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"crossdock: cannot reach {served.url}: ")
    trusted = subprocess.run(command, env=os.environ | {"SSL_CERT_FILE": cert}, timeout=30, check=False)
    assert trusted.returncode == 0


def test_door_that_is_off_is_not_opened(serve: Serve) -> None:
    served = serve("--store", "memory://", "--http", "off")
    assert served.log[-1]["urls"] == []
    assert served.stop(signal.SIGINT) == 0


def test_second_signal_ends_at_once(serve: Serve) -> None:
    served = serve("--store", "memory://", *ANY)
    host, port = re.match(r"http://(.+):(\d+)", served.url).groups()  # type: ignore[union-attr]
    with socket.create_connection((host, int(port)), 10) as slow:
        slow.sendall(b"POST /api/v1/q/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        while served.get("status/all").status_code != 200:
            time.sleep(0.01)
        served.process.send_signal(signal.SIGINT)
        served.wait_for("stopping")
        assert served.stop(signal.SIGINT) == 130


def test_people_are_told_where_and_what_to_try(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crossdock", "serve", "--store", "memory://", *ANY, "--log-format", "console"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | ONE_DOOR, text=True, **pipes) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert lines[:2] == ["store    memory://", "promise  memory"]
    url = lines[2].removeprefix("open at  ")
    assert next(line for line in lines if line.startswith("curl")) == f"curl -X POST {url}/api/v1/orders/create"


def test_the_variables_of_gomq_make_a_server(serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve(
        *ANY,
        GOMQ_STORAGE="hybrid",
        GOMQ_DATA_DIR="d",
        GOMQ_MAX_QUEUE_DEPTH="1",
        GOMQ_MAX_MESSAGE_SIZE="3B",
        GOMQ_LISTEN_ADDR=":5672",
    )
    told = "environment variable GOMQ_LISTEN_ADDR: this version has no AMQP door, nothing listens on :5672"
    assert told in [record["event"] for record in served.log]
    assert served.log[-1]["store"] == "log:///d/log"
    served.post("q/create")
    assert served.post("q/enqueue", {"message": "long"}).json()["error"].endswith("at most 3 bytes, got '6 bytes'")
    assert served.post("q/enqueue", {"message": "a"}).status_code == 202
    assert served.post("q/enqueue", {"message": "b"}).status_code == 507
    assert served.stop(signal.SIGTERM) == 0
    assert (tmp_path / "d" / "log").is_dir()

"""Commands that cannot do what they were asked, or are interrupted, or are watched by a person."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_run import run
from served import ServerThread


@pytest.fixture
def file_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SQLite store with the queue q."""
    url = f"sqlite:///{tmp_path / 'q.db'}"
    monkeypatch.setenv("CROSSDOCK_URL", url)
    assert run("queue", "create", "q").code == 0
    return url


@pytest.fixture
def guarded() -> Iterator[str]:
    """A server that asks for the key `hunter2`."""
    with ServerThread("memory://", "hunter2") as server:
        yield server.url


def process(*arguments: str) -> subprocess.Popen[str]:
    """A command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "crossdock", *arguments],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    result = run("recv", "q", "--url", f"http://127.0.0.1:{port}")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"crossdock: cannot reach http://127.0.0.1:{port}: ")


def test_server_that_is_none_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        child = process("queue", "ls", "--url", url)
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello \x1b[m")
            out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (1, "")
    assert err.startswith("crossdock: the server does not answer as crossdock does: ")
    assert "\x1b" not in err


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "sqlite:///", "http://", "http://user:hunter2@127.0.0.1:1"])
def test_url_that_names_nothing(url: str) -> None:
    result = run("queue", "ls", "--url", url)
    assert (result.code, result.out) == (2, "")
    assert "hunter2" not in result.err
    assert "Traceback" not in result.err


def test_key_is_asked_for_and_taken_from_the_environment(guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_URL", guarded)
    refused = run("queue", "create", "q")
    assert (refused.code, refused.err) == (1, "crossdock: the server asks for another API key\n")
    monkeypatch.setenv("CROSSDOCK_API_KEY", "hunter2")
    assert run("queue", "create", "q").code == 0
    assert run("queue", "ls", "--api-key", "hunter3").code == 1


def test_default_target_is_the_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CROSSDOCK_URL", raising=False)
    assert "Default: http://127.0.0.1:8080" in " ".join(run("send", "--help").out.replace("│", " ").split())


@pytest.mark.parametrize("command", [("queue", "rm", "q"), ("queue", "purge", "q")], ids=" ".join)
@pytest.mark.usefixtures("file_url")
def test_person_is_asked_before_anything_is_deleted(command: tuple[str, ...]) -> None:
    run("send", "q", "x")
    for answer in (b"n\n", b"\n", b""):
        refused = run(*command, stdin=answer, terminal=True)
        assert refused.code == 1
        assert "[y/N]" in refused.out
    assert run("queue", "info", "q").rows[0]["stored"] == 1
    assert run(*command, "--yes", terminal=True).code == 0


@pytest.mark.usefixtures("file_url")
def test_person_who_says_yes_is_obeyed() -> None:
    assert run("queue", "rm", "q", stdin=b"y\n", terminal=True).code == 0
    assert run("queue", "ls").rows == []


@pytest.mark.usefixtures("file_url")
def test_interrupted_follow_exits_with_130_and_says_nothing() -> None:
    run("send", "q", "one")
    with process("recv", "q", "--follow", "--ack") as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["body"] == "one"
        run("send", "q", "two")
        assert json.loads(child.stdout.readline())["body"] == "two"
        while run("queue", "info", "q").rows[0]["stored"]:  # It prints first, then acknowledges.
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (130, "", "")


@pytest.mark.usefixtures("file_url")
def test_reader_that_goes_away_is_no_error_to_shout_about() -> None:
    run("send", "q", "--lines", stdin=b"x\n" * 900)
    with process("recv", "q", "--max", "900", "--ack") as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        err = child.stderr.read()
        assert child.wait(30) == 1
    assert err == ""
    assert run("queue", "info", "q").rows[0]["stored"] == 900  # What was not printed was not acknowledged.


def test_version_and_migrate(tmp_path: Path) -> None:
    assert set(run("version").rows[0]) == {"crossdock", "python"}
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert run("migrate", "--store", url).rows == [{"store": url, "up_to_date": True}]
    assert run("queue", "ls", "--url", url).code == 0
    (tmp_path / "bad.db").write_bytes(os.urandom(8192))
    bad = run("migrate", "--store", f"sqlite:///{tmp_path / 'bad.db'}")
    assert (bad.code, bad.out) == (1, "")
    assert "bad.db" in bad.err

"""Log lines: one record, one line, for people or for programs."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from crossdock.config import Secret
from crossdock.core.errors import QueueNotFound
from crossdock.server.logs import Format, LogObserver, configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level


def test_json_line_holds_the_record() -> None:
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("crossdock.x").warning("mind %s", "this\nnew line", extra={"queue": "q", "count": 3})
    logging.getLogger("crossdock.x").debug("not this")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "event": "mind this\nnew line",
        "level": "warning",
        "logger": "crossdock.x",
        "queue": "q",
        "count": 3,
    }


def test_exception_is_on_its_line() -> None:
    stream = io.StringIO()
    configure("info", "auto", stream)
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("crossdock.x").exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: a\nb" in json.loads(line)["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_half_a_character_loses_no_line(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    """A file name that is not UTF-8 has one, and then the exception that names it."""
    stream = io.StringIO()
    configure("info", form, stream)
    try:
        raise ValueError("no file \udc80")
    except ValueError as error:
        logging.getLogger("crossdock.x").exception("failed: %s", error, extra={"key": Secret("x"), "queue": "\ud800"})
    text = stream.getvalue()
    assert "failed: no file \\udc80" in text
    assert "ValueError: no file \\udc80" in text
    assert "***" in text
    assert text.encode()
    assert capsys.readouterr().err == "", "logging complains there of a record that it lost"
    if form == "json":
        (line,) = text.splitlines()
        assert json.loads(line)["queue"] == "\ud800"


def test_traceback_on_the_console_shows_no_variables() -> None:
    """They hold keys and bodies; and what an exception says must not reach the terminal either."""
    stream = Terminal()
    configure("info", "auto", stream)
    headers = {b"x-api-key": f"hunter{2}"}
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        logging.getLogger("crossdock.x").exception("failed", extra={"count": len(headers)})
    assert "hunter2" not in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert "ValueError: \\x1b[2J" in stream.getvalue().splitlines()[-1]


def test_console_escapes_what_a_terminal_would_obey() -> None:
    stream = Terminal()
    configure("info", "auto", stream)
    logging.getLogger("crossdock.x").info("got %s", "\x1b[2J\n\u202e", extra={"queue": "q\x1b]0;t\x07\nz"})
    (line,) = stream.getvalue().splitlines()
    assert "got \\x1b[2J\\n\\u202e" in line
    assert "\x1b[2J" not in line
    assert "\x1b]" not in line


def test_secret_is_not_logged() -> None:
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("crossdock.x").info("key %s", Secret("hunter2"), extra={"key": Secret("hunter2")})
    assert "hunter2" not in stream.getvalue()
    assert json.loads(stream.getvalue())["key"] == "***"


def test_refused_verbs_are_logged_at_debug() -> None:
    stream = io.StringIO()
    configure("debug", "json", stream)
    LogObserver().failed("send", ("default", "q"), QueueNotFound("q"))
    LogObserver().done("send", ("default", "q"), 1, 0)
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    told = ("event", "verb", "namespace", "queue", "code", "error")
    expected = ["refused", "send", "default", "q", "queue_not_found", "queue 'q' does not exist"]
    assert [record[name] for name in told] == expected

"""What the commands do, against a store in a file and against a server alike."""

import json
from pathlib import Path

import pytest

from cli_run import run

pytestmark = pytest.mark.usefixtures("url")


def create(*options: str, name: str = "q") -> None:
    assert run("queue", "create", name, *options).code == 0


def test_message_goes_in_and_comes_out() -> None:
    create()
    sent = run("send", "q", "hello", "-H", "a=1", "-H", "b=2=3", "--priority", "-5", "--ordering-key", "k")
    assert (sent.code, sent.err) == (0, "")
    assert sent.rows == [{"id": 1, "duplicate": False}]
    got = run("recv", "q", "--lease", "1h")
    assert (got.code, got.err) == (0, "")
    (row,) = got.rows
    assert (row["id"], row["body"], row["attempt"], row["priority"]) == (1, "hello", 1, -5)
    assert (row["headers"], row["ordering_key"]) == ({"a": "1", "b": "2=3"}, "k")
    assert run("recv", "q").code == 4
    assert run("ack", "q", row["receipt"]).code == 0
    again = run("ack", "q", row["receipt"])
    assert (again.code, again.err) == (1, "crossdock: message 1 does not exist\n")


def test_body_of_any_bytes_survives() -> None:
    create()
    body = bytes(range(256))
    assert run("send", "q", "-", stdin=body).code == 0
    assert run("send", "q", stdin=b"").code == 0
    assert run("send", "q", ' {"a":  1}\n').code == 0
    first, second, third = run("recv", "q", "--max", "3").rows
    assert "body" not in first
    assert (first["body_base64"][:4], second["body"], third["body"]) == ("AAEC", "", ' {"a":  1}\n')


def test_lines_are_messages_of_their_own() -> None:
    create()
    sent = run("send", "q", "--lines", stdin=b"one\r\ntwo\n\nfour")
    assert [row["id"] for row in sent.rows] == [1, 2, 3, 4]
    assert [row["body"] for row in run("recv", "q", "--max", "9").rows] == ["one", "two", "", "four"]


def test_more_lines_than_a_batch_holds_are_sent() -> None:
    create()
    sent = run("send", "q", "--lines", stdin=b"x\n" * 2500)
    assert [row["id"] for row in sent.rows] == list(range(1, 2501))


def test_no_lines_send_nothing() -> None:
    create()
    assert run("send", "q", "--lines", stdin=b"").out == ""


def test_dedup_id_sends_once_and_another_body_is_refused() -> None:
    create()
    assert run("send", "q", "a", "--dedup-id", "d").rows == [{"id": 1, "duplicate": False}]
    assert run("send", "q", "a", "--dedup-id", "d").rows == [{"id": 1, "duplicate": True}]
    other = run("send", "q", "b", "--dedup-id", "d")
    assert other.code == 1
    assert "another body" in other.err


def test_delayed_message_is_seen_but_not_handed_out() -> None:
    create()
    run("send", "q", "later", "--delay", "1h", "--ttl", "2h")
    assert run("recv", "q").code == 4
    (row,) = run("peek", "q", "--state", "delayed").rows
    assert (row["state"], row["attempts"], row["body"]) == ("delayed", 0, "later")
    assert row["due"].endswith("+00:00")
    assert run("peek", "q", "--state", "leased").code == 4


def test_peek_shows_what_comes_next_and_changes_nothing() -> None:
    create()
    run("send", "q", "--lines", stdin=b"a\nb\nc\n")
    for _ in range(2):
        assert [row["body"] for row in run("peek", "q", "--max", "2").rows] == ["a", "b"]
    assert run("queue", "info", "q").rows[0]["groups"] == {}


def test_recv_with_ack_settles_what_it_printed() -> None:
    create()
    run("send", "q", "a")
    assert run("recv", "q", "--ack").rows[0]["body"] == "a"
    assert run("queue", "info", "q").rows[0]["stored"] == 0


def test_groups_each_get_every_message() -> None:
    create()
    run("send", "q", "a")
    assert run("recv", "q", "--group", "one").code == 0
    (row,) = run("recv", "q", "--group", "two").rows
    assert run("ack", "q", row["receipt"], "--group", "one").code == 1
    assert run("ack", "q", row["receipt"], "--group", "two").code == 0


def test_nack_gives_back_and_last_attempt_dead_letters() -> None:
    create("--max-attempts", "2")
    run("send", "q", "bad")
    for _ in range(2):
        (row,) = run("recv", "q").rows
        assert run("nack", "q", row["receipt"], "--delay", "0", "--error", "no such\norder").code == 0
    assert run("recv", "q").code == 4
    (dead,) = run("dlq", "ls", "q").rows
    assert (dead["body"], dead["headers"]["x-reason"]) == ("bad", "attempts")
    assert run("dlq", "ls", "q.dlq").rows == [dead]
    assert run("dlq", "redrive", "q").rows == [{"name": "q", "redriven": 1}]
    assert run("dlq", "redrive", "q").code == 4
    assert run("dlq", "ls", "q").code == 4
    assert run("recv", "q").rows[0]["attempt"] == 1


def test_redrive_takes_ids() -> None:
    create("--max-attempts", "1", "--dead-letter", "graveyard")
    run("send", "q", "--lines", stdin=b"a\nb\n")
    for row in run("recv", "q", "--max", "2").rows:
        run("nack", "q", row["receipt"])
    assert run("dlq", "redrive", "q", "2").rows == [{"name": "q", "redriven": 1}]
    assert [row["id"] for row in run("dlq", "ls", "q").rows] == [1]


def test_queue_is_made_changed_listed_and_removed() -> None:
    create("--kind", "topic", "--lease", "1m30s", "--max-messages", "10", "--overflow", "drop-oldest")
    create(name="r")
    assert [(row["name"], row["kind"]) for row in run("queue", "ls").rows] == [("q", "topic"), ("r", "queue")]
    assert run("queue", "create", "r").rows == [{"name": "r", "created": False}]
    edited = run("queue", "edit", "q", "--backoff", "5s", "--dead-letter", "off", "--dead-letter-expired").rows[0]
    expected = {"kind": "topic", "lease": "1m30s", "max_messages": 10, "overflow": "drop-oldest", "backoff": "5s"}
    assert edited["settings"] == expected | {"dead_letter": "", "dead_letter_expired": True, "paused": False}
    assert run("queue", "edit", "q", "--no-dead-letter-expired").rows[0]["settings"]["dead_letter_expired"] is False
    assert run("queue", "info", "q").rows[0]["settings"]["lease"] == "1m30s"
    assert run("queue", "rm", "q").rows == [{"name": "q", "deleted": True}]
    assert [row["name"] for row in run("queue", "ls").rows] == ["r"]


def test_paused_queue_hands_nothing_out() -> None:
    create("--lease", "1m")
    run("send", "q", "a")
    assert run("queue", "pause", "q").rows[0]["settings"]["paused"] is True
    assert run("recv", "q").code == 4
    settings = run("queue", "resume", "q").rows[0]["settings"]
    assert (settings["paused"], settings["lease"]) == (False, "1m")
    assert run("recv", "q").code == 0


def test_purge_deletes_every_message() -> None:
    create()
    run("send", "q", "--lines", stdin=b"a\nb\nc\n")
    run("recv", "q")
    assert run("queue", "purge", "q").rows == [{"name": "q", "purged": 3}]


@pytest.mark.parametrize(
    "command",
    [
        ("send", "no", "x"),
        ("recv", "no"),
        ("peek", "no"),
        ("ack", "no", "1.1.1"),
        ("nack", "no", "1.1.1"),
        ("queue", "info", "no"),
        ("queue", "edit", "no", "--lease", "1s"),
        ("queue", "pause", "no"),
        ("queue", "rm", "no"),
        ("queue", "purge", "no"),
        ("dlq", "ls", "no"),
        ("dlq", "redrive", "no"),
    ],
    ids=" ".join,
)
def test_unknown_queue_is_nothing_there(command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.code, result.out, result.err) == (4, "", "crossdock: queue 'no' does not exist\n")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("send", "q", "x", "--delay", "soon"), "--delay must be a duration"),
        (("send", "q", "x", "--delay", "9000h"), "delay must be a whole number from 0"),
        (("send", "q", "x", "--priority", "high"), "--priority"),
        (("send", "q", "x", "--priority", "1001"), "priority must be a whole number from -1000 to 1000"),
        (("send", "q", "x", "-H", "novalue"), "--header must be NAME=VALUE, got 'novalue'"),
        (("send", "q", "x", "--lines"), "--lines takes stdin"),
        (("send", "q", "--lines", "--dedup-id", "d"), "--lines takes stdin, and no --dedup-id"),
        (("send",), "QUEUE"),
        (("send", "q", "x", "y"), "y"),
        (("recv", "q", "--max", "0"), "limit must be a whole number from 1"),
        (("recv", "q", "--max", "1001"), "limit must be a whole number from 1"),
        (("recv", "q", "--wait", "2h"), "wait"),
        (("recv", "q", "--bogus"), "--bogus"),
        (("recv", "q", "-o", "xml"), "xml"),
        (("peek", "q", "--state", "lost"), "lost"),
        (("ack", "q"), "RECEIPTS"),
        (("ack", "q", "nonsense"), "receipt must be a receipt that a delivery carried, got 'nonsense'"),
        (("queue", "create", "a/b"), "queue must be 1 to 200 letters"),
        (("queue", "create", "z", "--lease", "0"), "lease must be"),
        (("queue", "create", "z", "--overflow", "burst"), "burst"),
        (("queue", "create", "z", "--dead-letter", "z"), "dead_letter"),
        (("queue", "paint", "q"), "paint"),
        (("dlq", "redrive", "q", "one"), "one"),
        (("dance",), "dance"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_misuse_is_told_in_a_sentence(command: tuple[str, ...], told: str) -> None:
    create()
    result = run(*command)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("crossdock: ")
    assert told in result.err
    assert "Traceback" not in result.err


def test_body_beyond_the_bound_is_refused() -> None:
    create()
    for arguments in (("-",), ("--lines",)):
        result = run("send", "q", *arguments, stdin=b"x" * (1024 * 1024 + 1))
        assert (result.code, result.out) == (2, "")
        assert "must have at most 1048576 bytes" in result.err
    assert run("send", "q", "-", stdin=b"x" * 1024 * 1024).code == 0


def test_json_is_one_document_and_jsonl_one_line_each(tmp_path: Path) -> None:
    create()
    run("send", "q", "--lines", stdin=b"a\nb\n")
    assert [row["body"] for row in json.loads(run("peek", "q", "-o", "json").out)] == ["a", "b"]
    assert [row["body"] for row in run("peek", "q", "-o", "jsonl").rows] == ["a", "b"]
    assert json.loads(run("queue", "info", "q", "-o", "json").out)["ready"] == 2
    assert json.loads(run("peek", "q", "--state", "leased", "-o", "json").out) == []


def test_table_for_people_holds_everything_and_no_colour_elsewhere_than_on_a_terminal() -> None:
    create()
    run("send", "q", "x" * 500)
    table = run("recv", "q", "-o", "table").out
    header, row = table.splitlines()
    assert header.split()[:3] == ["id", "receipt", "attempt"]
    assert "x" * 500 in row
    assert "\x1b" not in table
    assert run("recv", "q", "-o", "table").out == ""
    assert "ready" in run("queue", "ls", "-o", "table").out
    assert "backoff" not in run("queue", "info", "q", "-o", "table").out


def test_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    create()
    run("send", "q", "hello")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in run("peek", "q", terminal=True).out
    assert json.loads(run("peek", "q", "-o", "jsonl", terminal=True).out)["body"] == "hello"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in run("peek", "q", terminal=True).out


HOSTILE = "a\x1b]0;owned\x07\x9b31m\u202eb\r\n\u200b"


@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_nothing_of_a_message_reaches_the_terminal_raw(form: str) -> None:
    create()
    run("send", "q", HOSTILE, "-H", f"h={HOSTILE}")
    shown = run("recv", "q", "-o", form, terminal=True)
    assert shown.code == 0
    left = shown.out.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\n", "")
    assert left.isprintable()
    if form == "jsonl":
        assert json.loads(shown.out)["body"] == HOSTILE

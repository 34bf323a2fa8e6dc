"""The documentation says what is true: links lead somewhere, examples run, named tests and commands exist.

An example is a fenced block. Python is run; what the `text` block behind it shows is what it prints. Lines of `console`
blocks that begin with `$ ` are commands: those of crossdock must parse, and in README and quickstart those of crossdock
and curl are run, in order, and must print what is shown, receipts and times apart.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from inspect import signature
from io import StringIO
from pathlib import Path

import httpx
import pytest
from msgspec import Struct

from cli_run import run
from crossdock.cli import app
from crossdock.core.lifecycle import START, TRANSITIONS
from served import ServerThread

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLAYED = [ROOT / "README.md", ROOT / "docs" / "quickstart.md"]
URL = "http://127.0.0.1:8080"

RECEIPT = re.compile(r"\b[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]{6,16}\b")
CHANGING = [
    (RECEIPT, "RECEIPT"),
    (re.compile(r"\b1\d{12}\b"), "MS"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00"), "TIME"),
]


class Block(Struct):
    """A fenced block."""

    kind: str
    text: str


class Command(Struct):
    """A line of a console block, and what is shown below it."""

    words: list[str]
    shown: str


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(kind, text) for kind, text in found]


def commands(block: Block) -> list[Command]:
    """The commands of a console block, without the variables set before them."""
    found = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        words = shlex.split(line, comments=True)
        while re.match(r"\w+=", words[0]):
            del words[0]
        found.append(Command(words, shown))
    return found


def console(page: Path) -> Iterator[Command]:
    for block in blocks(page):
        if block.kind == "console":
            yield from commands(block)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as links have them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_diagram_is_the_table_of_transitions() -> None:
    (diagram,) = [block for block in blocks(ROOT / "docs" / "reference" / "states.md") if block.kind == "mermaid"]
    arrows = [f"[*] --> {phase}" for phase in START]
    arrows += [f"{before} --> {after}: {event}" for (before, event), after in TRANSITIONS.items()]
    expected = ["stateDiagram-v2", *arrows, "done --> [*]"]
    assert [line.strip() for line in diagram.text.splitlines()] == expected


def test_every_promise_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| .+::.+$", (ROOT / "docs" / "guarantees.md").read_text(), re.MULTILINE)
    assert rows
    for path, test in re.findall(r"`([\w/]+\.py)::(\w+)`", "\n".join(rows)):
        assert f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_parse(page: Path) -> None:
    for command in console(page):
        if command.words[0] == "crossdock":
            called, bound, _ = app.parse_args(command.words[1:], exit_on_error=False, print_error=False)
            assert called.__module__.startswith("crossdock.cli"), command.words
            assert bound.arguments is not None


def test_a_command_that_does_not_exist_would_be_seen() -> None:
    for words in (["queue", "made-up"], ["queue", "create", "orders", "--made-up", "1"], ["send"]):
        with pytest.raises(Exception, match=r"[Uu]nknown|[Uu]nused|requires"):
            app.parse_args(words, exit_on_error=False, print_error=False)


def plain(text: str) -> list[str]:
    """Lines to compare: without what differs from run to run, and without the widths of a table."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def curl(url: str, words: list[str]) -> str:
    """What curl would print. Knows the options that the pages use."""
    method, body, target = "GET", None, ""
    rest = iter(words)
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-d":
            body = next(rest)
        else:
            target = word.removeprefix("http://").partition("/")[2]
    return httpx.request(method, f"{url}/{target}", content=body).text + "\n"


def play(url: str, block: Block, receipts: dict[str, str]) -> None:
    """Run the commands of a block and compare. `receipts`: those the page shows -> those of this run."""

    def of_this_run(shown: re.Match[str]) -> str:
        return receipts[shown[0]]

    for command in commands(block):
        words = [RECEIPT.sub(of_this_run, word) for word in command.words]
        if words[0] == "curl":
            printed = curl(url, words[1:])
        elif words[0] == "crossdock" and command.shown:
            result = run(*words[1:])
            assert result.code == 0, result.err
            printed = result.out
        else:
            continue
        if command.shown:
            assert plain(printed) == plain(command.shown), words
            receipts |= dict(zip(RECEIPT.findall(command.shown), RECEIPT.findall(printed), strict=True))


def run_python(text: str, request: pytest.FixtureRequest) -> str:
    """Run a block, and the tests in it with their fixtures; returns what it printed."""
    names: dict[str, object] = {"__name__": "example"}
    with redirect_stdout(StringIO()) as printed:
        exec(compile(text, "<example>", "exec"), names)
        for name, value in names.items():
            if name.startswith("test_") and callable(value):
                value(*(request.getfixturevalue(fixture) for fixture in signature(value).parameters))
    return printed.getvalue()


@pytest.mark.parametrize("page", PLAYED, ids=name_of)
def test_the_first_steps_print_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    receipts: dict[str, str] = {}
    with ServerThread("sqlite:///first-steps.db") as server:
        monkeypatch.setenv("CROSSDOCK_URL", server.url)
        monkeypatch.setenv("CROSSDOCK_OUTPUT", "table")  # as on a terminal
        printed = ""
        for block in blocks(page):
            if block.kind == "console":
                play(server.url, block, receipts)
            elif block.kind == "python":
                printed = run_python(block.text.replace(URL, server.url), request)
            elif block.kind == "text":
                assert printed == block.text


EXAMPLES = [page for page in PAGES if page not in PLAYED and any(block.kind == "python" for block in blocks(page))]


@pytest.mark.parametrize("page", EXAMPLES, ids=name_of)
def test_examples_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = [block for block in blocks(page) if block.kind == "python"]
    for block in examples:
        assert run_python(block.text, request) == ""
    assert examples

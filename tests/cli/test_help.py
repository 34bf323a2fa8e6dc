"""--help tells all: examples for each command, and the environment twin of each option."""

from collections.abc import Iterator

import pytest
from cyclopts import App

from cli_run import run
from crossdock.cli import app


def commands(group: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that does something, with the words that call it."""
    for name in group:
        if name.startswith("-"):
            continue
        command = group[name]
        if command.default_command is None or not command.default_command.__module__.startswith("crossdock"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(app))


def test_every_command_of_the_issue_is_there() -> None:
    queue = ("ls", "info", "create", "edit", "rm", "purge", "pause", "resume")
    expected = {("serve",), ("send",), ("recv",), ("peek",), ("ack",), ("nack",), ("migrate",), ("version",)}
    expected |= {("queue", name) for name in queue} | {("dlq", "ls"), ("dlq", "redrive")}
    assert set(COMMANDS) - {("bench",), ("worker",)} == expected


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_has_an_environment_twin_and_help(path: tuple[str, ...]) -> None:
    shown = " ".join(run(*path, "--help").out.replace("│", " ").split())
    for argument in COMMANDS[path].assemble_argument_collection():
        if not argument.name.startswith("-") or not argument.parse:
            continue
        assert argument.parameter.help, argument.name
        assert argument.parameter.env_var, argument.name
        assert argument.name in shown
        for twin in argument.parameter.env_var:
            assert twin.startswith("CROSSDOCK_")
            assert twin in shown


@pytest.mark.parametrize("name", [name for name in app if not name.startswith("-")])
def test_every_command_shows_examples(name: str) -> None:
    result = run(name, "--help")
    assert result.code == 0
    assert f"Examples:\n  crossdock {name}" in result.out


def test_bare_command_lists_the_commands() -> None:
    result = run()
    assert result.code == 0
    for name in app:
        assert name in result.out
    assert "Exit codes: 0 done, 1 failed, 2 misused, 4 nothing there, 130 interrupted." in result.out


def test_twin_sets_the_option_and_the_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSDOCK_OUTPUT", "json")
    assert run("version").out.startswith("{\n")
    assert run("version", "-o", "jsonl").out.startswith('{"crossdock"')

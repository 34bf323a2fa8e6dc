"""The tables of docs/reference list what there is, no more and no less, with the values of the code."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx
import msgspec
import pytest
from cyclopts import App

import crossdock.bench.report
import crossdock.client.http_errors
from crossdock.cli import _EXIT_CODES, app
from crossdock.cli.output import FAILED
from crossdock.config.keys import KEYS
from crossdock.core import limits
from crossdock.core.errors import CrossdockError
from crossdock.core.model import Settings
from crossdock.doors.grpc.metrics import collect as collect_grpc
from crossdock.doors.http.errors import STATUSES
from crossdock.doors.http.metrics import Snapshot, render
from crossdock.doors.websocket.door import PATHS
from crossdock.doors.websocket.errors import NoMessage, TooManyUnanswered
from crossdock.doors.websocket.metrics import collect as collect_ws
from crossdock.server.collector import PrometheusCollector
from crossdock.server.doors import CannotStart
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from crossdock.wire import ws
from served import ServerThread

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"
OUTSIDE_HTTP = {
    "config_error",
    CannotStart.code,
    crossdock.bench.report.BenchFailed.code,
    NoMessage.code,
    TooManyUnanswered.code,
}
"""Codes of errors that no request can meet."""


def text_of(page: str) -> str:
    return (REFERENCE / page).read_text()


def rows(page: str) -> dict[str, list[str]]:
    """The rows of a page's tables whose first cell is code, by that, as cells without marks."""
    found = {}
    for line in text_of(page).splitlines():
        if line.startswith("| `"):
            cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
            found[cells[0]] = cells[1:]
    return found


def test_limits() -> None:
    found = rows("limits.md")
    for name, cells in found.items():
        module, _, constant = name.rpartition(".")
        value = getattr(import_module(f"crossdock.{module or 'core.limits'}"), constant)
        assert cells[0] == f"{value:g}" or cells[0] == str(value), name
    there = {name for name, value in vars(limits).items() if name.isupper() and isinstance(value, int)}
    assert {name for name in found if "." not in name} == there


def errors(kind: type[CrossdockError] = CrossdockError) -> Iterator[type[CrossdockError]]:
    """Every error with a code of its own."""
    if "code" in vars(kind) and kind.__module__.startswith("crossdock."):
        yield kind
    for other in kind.__subclasses__():
        yield from errors(other)


def test_errors() -> None:
    found = {code: cells for code, cells in rows("errors.md").items() if re.fullmatch("[a-z_]+", code)}
    for kind in errors():
        name, status, exit_code, _ = found[kind.code]
        assert name == kind.__name__
        assert status == ("" if kind.code in OUTSIDE_HTTP else str(STATUSES.get(kind.code, 500))), kind.code
        assert exit_code == str(_EXIT_CODES.get(kind.code, FAILED)), kind.code
    assert set(found) == {kind.code for kind in errors()}


def test_configuration() -> None:
    found = rows("configuration.md")
    assert set(found) == set(KEYS)
    for name, key in KEYS.items():
        default = str(key.default).lower() if isinstance(key.default, bool) else str(key.default)
        assert (found[name][0], found[name][2]) == (key.env, default), name


def test_settings() -> None:
    assert list(rows("settings.md")) == [field.name for field in msgspec.structs.fields(Settings)]


def test_metrics() -> None:
    verbs = PrometheusCollector(MemoryStore(), VirtualClock())
    sources = [lambda: collect_grpc([], 0), lambda: collect_ws([], {}), verbs.metrics]
    rendered = render(Snapshot([], [], 0, 0, sources)).decode()
    types = re.findall(r"^# TYPE (\S+) (\S+)$", rendered, re.MULTILINE)
    assert {name: cells[0] for name, cells in rows("metrics.md").items()} == dict(types)


def test_routes() -> None:
    with ServerThread("memory://") as server:
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    there = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    shown = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]+)`", text_of("http-api.md")))
    assert shown - {"GET /openapi.json", "GET /docs"} == there - {"GET /openapi.json", "GET /docs"}


def test_protected_routes_are_marked() -> None:
    with ServerThread("memory://", api_key="secret") as server:
        for method, path, mark in re.findall(r"^\| `(\w+) (/[^`]+)`( \*)?", text_of("http-api.md"), re.MULTILINE):
            url = server.url + path.replace("{queue}", "q").replace("{message_id}", "1")
            assert (httpx.request(method, url).status_code == 401) == bool(mark), path


def test_websocket_paths_queries_and_answers() -> None:
    text = text_of("websocket-api.md")
    assert re.findall(r"^## `(/ws/\w+)`$", text, re.MULTILINE) == list(PATHS)
    queries = (ws.Publishing, ws.Consuming, ws.Subscribing, ws.Calling)
    asked = {field.encode_name for kind in queries for field in msgspec.structs.fields(kind)}
    assert {name for name in rows("websocket-api.md") if "{" not in name} == asked
    tags = {str(kind.__struct_config__.tag) for kind in (ws.Ack, ws.Nack, ws.Reject, ws.Extend, ws.Credit)}
    assert set(re.findall(r'^\| `\{"do":"(\w+)"', text, re.MULTILINE)) == tags


def cli_commands(group: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, App]]:
    """Every command that does something, with the words that call it."""
    for name in group:
        command = group[name] if not name.startswith("-") else None
        if command is None:
            continue
        if command.default_command is None or not command.default_command.__module__.startswith("crossdock"):
            yield from cli_commands(command, (*path, name))
        else:
            yield " ".join(("crossdock", *path, name)), command


COMMANDS = dict(cli_commands(app))


@pytest.mark.parametrize("command", COMMANDS)
def test_command_line(command: str) -> None:
    text = text_of("command-line.md")
    assert re.search(rf"^## .*`{command}`", text, re.MULTILINE)
    for argument in COMMANDS[command].assemble_argument_collection():
        if argument.name.startswith("-") and argument.parse:
            assert f"`{argument.name}`" in text
            (variable,) = argument.parameter.env_var or ()
            assert f"`{variable}`" in text, variable

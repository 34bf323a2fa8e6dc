"""The rules of docs/design.md that a reader of the source could otherwise only hope for.

Modules are named from the package down: `core.ids`, `doors.http.app`; the package's own `__init__` is "".
The tables say who may do what; a name in them stands for itself and everything below it.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = "crossdock"
ROOT = Path(__file__).parent.parent / "src" / PACKAGE

FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 400

ARROWS = {
    "core": ["core"],
    "wire": ["wire", "core"],
    # and its own store's modules, see OWN_PARTS
    "storage": ["storage.base", "storage.folders", "storage.wal", "core"],
    "broker": ["broker", "storage.base", "core"],
    "doors": ["doors.shared", "broker", "storage.base", "wire", "core"],  # and its own door's modules
    "client": ["client", "config", "broker", "storage", "wire", "core"],  # an embedded connection opens its own store
    "": ["", "client", "core"],
    "config": ["config", "broker", "storage.base", "core"],
    "server": ["server", "config", "doors", "broker", "storage", "wire", "core"],
    "bench": ["bench", "doors", "server", "config", "client", "broker", "storage", "wire", "core"],
    "__main__": ["cli"],
    "cli": ["cli", "bench", "server", "config", "client", "broker", "storage", "wire", "core", ""],
    "testing": ["testing", "server", "config", "doors", "client", "broker", "storage", "wire", "core", ""],
}
"""Who may import whom. Nothing but `testing` itself imports `testing`."""

OWN_PARTS = ("storage", "doors")
"""Packages whose parts know nothing of each other: a store of another store, a door of another door."""

PURE = ("core", "wire")
# fmt: off
IMPURE_MODULES = frozenset({
    "asyncio", "concurrent", "contextvars", "fcntl", "http", "io", "logging", "mmap", "multiprocessing",
    "os", "pathlib", "queue", "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver",
    "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid",
})
# fmt: on
"""What `core` and `wire` may not import: I/O, threads, clocks, randomness, the process."""

PACKAGES = {
    "aiohttp": ["client"],
    "apsw": ["storage.sqlite", "testing.power_loss", "bench"],  # bench: the bare loop beside the store
    "cronsim": ["client.schedule"],
    "cyclopts": ["cli"],
    "dotenv": ["config"],
    "google": ["wire.protos", "doors.grpc", "client"],
    "grpc": ["doors.grpc", "client"],
    "grpc_health": ["doors.grpc"],
    "grpc_reflection": ["doors.grpc"],
    "hdrh": ["bench"],
    "httptools": ["doors.http"],
    "hypothesis": ["testing"],
    "msgspec": [""],
    "prometheus_client": ["doors.grpc", "doors.http", "doors.shared", "doors.websocket", "server.collector"],
    "pytest": ["testing"],
    "pytest_asyncio": ["testing"],
    "rich": ["cli"],
    "starlette": ["doors.http", "server", "bench"],
    "structlog": ["server"],
    "uvicorn": ["doors.http", "server"],
    "uvloop": ["server", "bench"],
    "websockets": ["doors.websocket"],
    "yaml": ["config"],
}
"""Where each third-party package may be imported; "" is everywhere. What is not listed may be imported nowhere."""

# fmt: off
AMBIENT = frozenset({
    "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
    "os.getrandom", "os.urandom", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns",
    "time.sleep", "time.time", "time.time_ns", "uuid.uuid1", "uuid.uuid4",
})
# fmt: on
AMBIENT_MODULES = ("random", "secrets")
AMBIENT_ALLOWED = [
    "broker.clock",  # the system clock
    "broker.runtime",  # jitter
    "storage.log",  # the generation of a new log; how long its own work took
    "storage.memory",  # the generation of a store's life
    "storage.sqlite",  # the generation of a new file
    "doors.grpc",  # latencies
    "doors.http",  # latencies
    "doors.shared",  # request ids
    "doors.websocket",  # latencies
    "bench",  # measures durations
]
"""Who may read a clock or draw a random number; everyone else is given `now` and numbers."""

PRINTERS = ["cli"]


class Module:
    """One source file, parsed, with what the rules ask about it."""

    def __init__(self, path: str, source: str) -> None:
        parts = path.removesuffix(".py").split("/")
        self.tree = ast.parse(source)
        self.lines = source.count("\n")
        self.name = ".".join(parts).removesuffix("__init__").rstrip(".")
        self.package = ".".join([PACKAGE, *parts[:-1]])
        self.imports: list[tuple[int, str]] = []
        """Line and full dotted name, functions' own imports included."""
        self.names: dict[str, str] = {}
        """What a bare name means by those imports."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._add(node)

    def _add(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            full = alias.name if isinstance(node, ast.Import) else f"{self._absolute(node)}.{alias.name}"
            self.imports.append((node.lineno, full))
            if isinstance(node, ast.Import) and not alias.asname:
                top = full.partition(".")[0]
                self.names[top] = top
            else:
                self.names[alias.asname or alias.name] = full

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        above = self.package.split(".")[: 1 - node.level or None]
        return ".".join([*above, node.module] if node.module else above)

    def inside(self, names: list[str]) -> bool:
        return any(within(self.name, name) for name in names)


def within(module: str, name: str) -> bool:
    return name in ("", module) or module.startswith(f"{name}.")


def layer(module: str) -> str:
    top = module.partition(".")[0]
    return top if top in ARROWS else ""


Found = Iterator[tuple[int, str]]


def arrows_point_down(module: Module) -> Found:
    here = layer(module.name)
    allowed = list(ARROWS[here])
    if here in OWN_PARTS:
        allowed.append(".".join(module.name.split(".")[:2]))
    if module.name == "storage.urls":
        allowed.append("storage")  # from a URL to a store: it knows them all
    for line, full in module.imports:
        top, _, target = full.partition(".")
        if top == PACKAGE and not any(reaches(target, name) for name in allowed):
            yield line, f"must not import {full}"


def reaches(target: str, name: str) -> bool:
    """Whether importing `target` is importing `name` or from it; "" is what the package itself exports."""
    return layer(target) == "" if name == "" else within(target, name)


def core_and_wire_are_pure(module: Module) -> Found:
    if layer(module.name) in PURE:
        for line, full in module.imports:
            if full.partition(".")[0] in IMPURE_MODULES:
                yield line, f"must stay pure, imports {full}"


def packages_stay_in_their_place(module: Module) -> Found:
    for line, full in module.imports:
        top = full.partition(".")[0]
        if top != PACKAGE and top not in sys.stdlib_module_names and not module.inside(PACKAGES.get(top, [])):
            yield line, f"must not import the package {top}"


def time_and_chance_are_given(module: Module) -> Found:
    if module.inside(AMBIENT_ALLOWED):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name | ast.Attribute):
            full = dotted(node, module.names)
            if full in AMBIENT or full.startswith(tuple(f"{name}." for name in AMBIENT_MODULES)):
                yield node.lineno, f"must be given what {full} says"


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def only_the_command_line_prints(module: Module) -> Found:
    if module.inside(PRINTERS):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno, "must not print"


def no_error_is_swallowed(module: Module) -> Found:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "must name what it catches"
            if all(isinstance(step, ast.Pass) or is_ellipsis(step) for step in node.body):
                yield node.lineno, "must not swallow an exception"


def is_ellipsis(step: ast.stmt) -> bool:
    return isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant) and step.value.value is ...


def functions_and_modules_are_short(module: Module) -> Found:
    if module.lines > MODULE_LINES_MAX:
        yield 1, f"has {module.lines} lines, {MODULE_LINES_MAX} are enough"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {length} lines, {FUNCTION_LINES_MAX} are enough"


RULES: list[Callable[[Module], Found]] = [
    arrows_point_down,
    core_and_wire_are_pure,
    packages_stay_in_their_place,
    time_and_chance_are_given,
    only_the_command_line_prints,
    no_error_is_swallowed,
    functions_and_modules_are_short,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Callable[[Module], Found]) -> None:
    sources = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.rglob("*.py"))}
    assert "core/model.py" in sources
    found = [f"{path}:{line} {text}" for path, source in sources.items() for line, text in rule(Module(path, source))]
    assert found == []


@pytest.mark.parametrize("name", sorted({*chain(*PACKAGES.values()), *AMBIENT_ALLOWED, *PRINTERS} - {""}))
def test_allowance_names_something_that_exists(name: str) -> None:
    path = ROOT.joinpath(*name.split("."))
    assert path.is_dir() or path.with_suffix(".py").is_file()


LONG_FUNCTION = "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX
LONG_METHOD = "class C:\n    async " + LONG_FUNCTION.replace("\n", "\n    ")

FAULTS = [
    (arrows_point_down, "core/engine.py", "from crossdock.storage.base import Store"),
    (arrows_point_down, "core/engine.py", "from ..broker import broker"),
    (arrows_point_down, "core/engine.py", "def f():\n    import crossdock.wire.json_api"),
    (arrows_point_down, "wire/json_api.py", "from crossdock.broker import broker"),
    (arrows_point_down, "storage/memory.py", "from .sqlite import store"),
    (arrows_point_down, "storage/sqlite/store.py", "from crossdock.storage.memory import MemoryStore"),
    (arrows_point_down, "storage/sqlite/store.py", "from ...broker import broker"),
    (arrows_point_down, "broker/broker.py", "from crossdock.storage.memory import MemoryStore"),
    (arrows_point_down, "broker/broker.py", "if TYPE_CHECKING:\n    from crossdock.doors import http"),
    (arrows_point_down, "doors/http/app.py", "from crossdock.storage.sqlite import store"),
    (arrows_point_down, "doors/http/app.py", "from crossdock.doors.grpc import server"),
    (arrows_point_down, "doors/http/app.py", "from crossdock import client"),
    (arrows_point_down, "client/queue.py", "from crossdock.server import Server"),
    (arrows_point_down, "client/queue.py", "from crossdock import testing"),
    (arrows_point_down, "cli/serve.py", "from crossdock.testing.clock import VirtualClock"),
    (arrows_point_down, "server.py", "from crossdock.testing import clock"),
    (arrows_point_down, "server.py", "from .cli import main"),
    (arrows_point_down, "__init__.py", "from .broker.broker import Broker"),
    (core_and_wire_are_pure, "core/engine.py", "import time"),
    (core_and_wire_are_pure, "core/engine.py", "from asyncio import Lock"),
    (core_and_wire_are_pure, "wire/json_api.py", "import os.path"),
    (core_and_wire_are_pure, "wire/json_api.py", "def f():\n    import socket"),
    (packages_stay_in_their_place, "broker/broker.py", "import apsw"),
    (packages_stay_in_their_place, "storage/memory.py", "import apsw"),
    (packages_stay_in_their_place, "doors/http/app.py", "from rich.table import Table"),
    (packages_stay_in_their_place, "client/http.py", "import requests"),
    (packages_stay_in_their_place, "config.py", "from starlette.routing import Route"),
    (time_and_chance_are_given, "broker/sweeper.py", "import time\nnow = time.time()"),
    (time_and_chance_are_given, "broker/sweeper.py", "import time as t\nnow = t.monotonic"),
    (time_and_chance_are_given, "broker/sweeper.py", "from time import time_ns as now\nnow()"),
    (time_and_chance_are_given, "client/queue.py", "from datetime import datetime\ndatetime.now()"),
    (time_and_chance_are_given, "client/queue.py", "import random\nrandom.random()"),
    (time_and_chance_are_given, "client/queue.py", "from random import choice\nchoice([1])"),
    (time_and_chance_are_given, "client/queue.py", "import secrets\nsecrets.token_hex()"),
    (time_and_chance_are_given, "client/queue.py", "import uuid\nuuid.uuid4()"),
    (time_and_chance_are_given, "client/queue.py", "import os\nos.urandom(8)"),
    (only_the_command_line_prints, "client/queue.py", "print(1)"),
    (no_error_is_swallowed, "client/queue.py", "try:\n    f()\nexcept:\n    g()"),
    (no_error_is_swallowed, "client/queue.py", "try:\n    f()\nexcept ValueError:\n    pass"),
    (no_error_is_swallowed, "client/queue.py", "try:\n    f()\nexcept* OSError:\n    ..."),
    (functions_and_modules_are_short, "client/queue.py", LONG_FUNCTION),
    (functions_and_modules_are_short, "client/queue.py", LONG_METHOD),
    (functions_and_modules_are_short, "client/queue.py", "x = 1\n" * (MODULE_LINES_MAX + 1)),
]

CLEAN = [
    ("core/ids.py", "import re\nfrom .errors import InvalidArgument\nfrom msgspec import Struct"),
    ("storage/memory.py", "from crossdock.core.engine import Engine\nfrom .base import Store"),
    ("storage/sqlite/__init__.py", "from .store import SqliteStore\nimport apsw"),
    ("storage/sqlite/store.py", "from ..base import Store\nfrom . import writer"),
    ("doors/http/app.py", "from .routes import ROUTES\nfrom crossdock.broker.broker import Broker"),
    ("__init__.py", "from . import aio\nfrom .client import connect\nfrom .core.errors import LeaseLost"),
    ("cli/__init__.py", "import crossdock\nfrom crossdock import connect\nfrom rich.table import Table\nprint(1)"),
    ("client/queue.py", "import time\ntime.strftime('%Y')\nclock.time.time\ntry:\n    f()\nexcept OSError:\n    g()"),
    ("client/queue.py", "def f():\n" + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)),
]


@pytest.mark.parametrize(("rule", "path", "source"), FAULTS)
def test_planted_fault_is_found(rule: Callable[[Module], Found], path: str, source: str) -> None:
    assert [text for _, text in rule(Module(path, source))]


@pytest.mark.parametrize(("path", "source"), CLEAN)
def test_clean_source_passes(path: str, source: str) -> None:
    module = Module(path, source)
    assert [text for rule in RULES for _, text in rule(module)] == []


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule for rule, _, _ in FAULTS} == set(RULES)

"""Every statement finds its rows by a key or an index, however many there are."""

import importlib
import pkgutil
from collections.abc import Iterator

import apsw
import apsw.ext
import pytest

from crossdock.storage import sqlite
from crossdock.storage.sqlite import connection

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
FRAGMENTS = ("SELECT_ENTRY", "SELECT_MESSAGE")

WHOLE = {
    "queues._ADDRESSES": "lists all queues",
    "catalog._COUNT_QUEUES": "counts them when one is created",
    "catalog._FREE_NUMBER": "looks for a gap when the numbers have reached their end",
    "session._GENERATION": "reads the one row of the store",
    "session._SAVE": "writes it",
    "joining._HIDDEN": "reads the schema of a connection's temporary tables, which mostly has none",
}
"""Statements that may look at a whole table."""


def statements() -> Iterator[tuple[str, str]]:
    """Every SQL constant of the store's modules, by name."""
    for found in pkgutil.iter_modules(sqlite.__path__):
        module = importlib.import_module(f"{sqlite.__name__}.{found.name}")
        for name, value in vars(module).items():
            if isinstance(value, str) and value.startswith(VERBS) and name not in FRAGMENTS:
                yield f"{found.name}.{name}", value


STATEMENTS = dict(statements())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    opened = connection.connect(tmp_path_factory.mktemp("plans") / "queues.db")
    yield opened
    opened.close()


NO_TABLE = ("SCAN CONSTANT ROW", "SCAN (subquery-1)", "SCAN (subquery-3)", "SCAN json_each VIRTUAL TABLE INDEX 1:")


def scans(database: apsw.Connection, sql: str) -> list[str]:
    """The tables that SQLite would read from end to end."""
    plan = apsw.ext.query_info(database, sql, explain_query_plan=True).query_plan
    return [] if plan is None else [step for step in steps(plan) if step.startswith("SCAN ") and step not in NO_TABLE]


def steps(plan: apsw.ext.QueryPlan) -> Iterator[str]:
    yield plan.detail
    for below in plan.sub or []:
        yield from steps(below)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_scans_a_table(database: apsw.Connection, name: str) -> None:
    assert scans(database, STATEMENTS[name]) == [] or name in WHOLE


def test_a_scan_would_be_seen(database: apsw.Connection) -> None:
    assert scans(database, "SELECT * FROM messages WHERE priority = 1") == ["SCAN messages"]


def test_the_statements_were_found() -> None:
    assert len(STATEMENTS) > 50

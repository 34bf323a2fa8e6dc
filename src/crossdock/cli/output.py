"""What a command prints: a table for people, JSON for programs. Nothing from elsewhere reaches a terminal raw."""

import base64
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from crossdock.core.text import printable

OK, FAILED, MISUSE, NOTHING, INTERRUPTED = 0, 1, 2, 4, 130
"""Exit codes."""

Form = Literal["table", "json", "jsonl"]
Row = Mapping[str, object]

_WIDE = 32_767
"""Columns of a table that goes elsewhere than to a terminal: nothing is folded."""
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e]")


class Output:
    """Prints rows in one form; by default a table on a terminal and JSON lines elsewhere."""

    def __init__(self, form: Form | None) -> None:
        self.form: Form = form or ("table" if sys.stdout.isatty() else "jsonl")

    def rows(self, rows: Sequence[Row]) -> None:
        """Print things of one kind."""
        if self.form == "table":
            _print_table(rows)
        elif self.form == "json":
            print(_json(rows, indent=2))
        else:
            for row in rows:
                print(_json(row))
        sys.stdout.flush()

    def one(self, row: Row) -> None:
        """Print one thing: in a table a line for each of its parts."""
        if self.form == "table":
            _print_table([{"name": name, "value": value} for name, value in row.items()], header=False)
        else:
            print(_json(row, indent=2 if self.form == "json" else None))
        sys.stdout.flush()


def body_parts(body: bytes) -> dict[str, object]:
    """A body as JSON can hold it: text where it is UTF-8, else base64."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def time_text(ms: int) -> str | None:
    """A point in time in ISO 8601, None for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else None


def examples(*commands: str) -> str:
    """What --help shows below the options."""
    return "Examples:\n" + "\n".join(f"  crossdock {command}" for command in commands)


def complain(message: str) -> None:
    """Tell the user what went wrong."""
    print(f"crossdock: {printable(message)}", file=sys.stderr)


def nothing_there(message: str) -> int:
    """Tell the user that there is nothing to show; returns the exit code that says so."""
    complain(message)
    return NOTHING


def _json(value: object, indent: int | None = None) -> str:
    """JSON whose control characters, C1 and direction marks included, are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _UNPRINTABLE.sub(lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], text)


def _print_table(rows: Sequence[Row], header: bool = True) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else _WIDE, force_terminal=terminal, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=header, header_style="bold")
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in names))
    if rows:
        console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        parts = [(printable(str(name)), part) for name, part in value.items()]
        return ", ".join(
            f"{name} ({_cell(part)})" if isinstance(part, Mapping) else f"{name}={_cell(part)}" for name, part in parts
        )
    return printable(str(value))

"""Runs the command line inside the test's process."""

import io
import json
import sys
from typing import Any

import pytest
from msgspec import Struct

from crossdock.cli import main


class Result(Struct):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Stream(io.TextIOWrapper):
    """A standard stream in memory, which says whether it is a terminal."""

    def __init__(self, content: bytes = b"", terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def text(self) -> str:
        stored: io.BytesIO = self.buffer  # type: ignore[assignment]
        return stored.getvalue().decode()


def run(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> Result:
    """Run `crossdock` with these arguments to its end."""
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", Stream(stdin, terminal))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as end:
            main(arguments)
    return Result(int(end.value.code or 0), out.text, err.text)

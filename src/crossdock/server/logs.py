"""What the logs look like. The code logs through `logging`; here its records become lines, one each."""

import json
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import msgspec
import structlog

from crossdock.core.errors import CrossdockError
from crossdock.core.model import Address
from crossdock.core.text import printable

Format = Literal["auto", "console", "json"]

_log = logging.getLogger("crossdock.broker")


def configure(level: str, form: Format, stream: TextIO = sys.stderr) -> None:
    """Send every record of this process to `stream`: for people (`console`) or as JSON; `auto` asks the stream."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor]
    if is_for_people(form, stream):
        colors = stream.isatty() and not os.environ.get("NO_COLOR")
        # Plain tracebacks: the pretty ones show local variables, and so keys and bodies.
        console = structlog.dev.ConsoleRenderer(
            colors=colors, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
        )
        last = [structlog.processors.format_exc_info, _printable, console]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def is_for_people(form: Format, stream: TextIO) -> bool:
    """Whether lines of this format are meant to be read at a terminal."""
    return form == "console" or (form == "auto" and stream.isatty())


class LogObserver:
    """Logs the verbs that failed, at level debug."""

    def done(self, verb: str, address: Address, count: int, started: int) -> None:
        """Nothing: what went well is counted by the store."""

    def failed(self, verb: str, address: Address, error: CrossdockError) -> None:
        where = {"verb": verb, "namespace": address[0], "queue": address[1]}
        _log.debug("refused", extra=where | {"code": error.code, "error": str(error)})


def _json(event: MutableMapping[str, Any], **_: object) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=repr).decode()
    except UnicodeEncodeError:  # Half a character, from a handler's exception perhaps: written as an escape.
        return json.dumps(event, default=repr, separators=(",", ":"))


def _printable(_logger: object, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what a terminal would obey, newlines included; only a traceback keeps its lines."""
    for key, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(map(printable, lines))
    return event

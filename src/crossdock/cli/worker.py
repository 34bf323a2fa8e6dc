"""worker: a program's handlers in the foreground."""

import importlib
import os
import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from crossdock import Worker
from crossdock.core.errors import InvalidArgument
from crossdock.server.logs import configure

from .options import option
from .output import OK


def worker(
    target: Annotated[str, Parameter(help="MODULE:NAME of the crossdock.Worker; the module may be in this directory")],
    /,
    *,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], option("LOG_LEVEL", "What to log. Default: info")
    ] = "info",
    log_format: Annotated[
        Literal["auto", "console", "json"],
        option("LOG_FORMAT", "How to log to stderr. Default: auto, console on a terminal and json elsewhere"),
    ] = "auto",
) -> int:
    """Handle messages until interrupted. The first Ctrl-C lets running handlers finish, the second ends at once."""
    configure(log_level, log_format)
    load(target).run()
    return OK


def load(target: str) -> Worker:
    """The worker that MODULE:NAME names. Raises InvalidArgument, and what the module itself raises."""
    module_name, _, name = target.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")) or not name.isidentifier():
        raise InvalidArgument("target", target, "must be MODULE:NAME, such as jobs:worker")
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise  # The module is there, and misses another one.
        raise InvalidArgument("target", target, f"must name a module: there is no {error.name!r} here") from error
    if not hasattr(module, name):
        raise InvalidArgument("target", target, f"must name a crossdock.Worker: {module_name} has no {name!r}")
    found = getattr(module, name)
    if not isinstance(found, Worker):
        raise InvalidArgument("target", target, f"must name a crossdock.Worker: {name!r} is a {type(found).__name__}")
    return found

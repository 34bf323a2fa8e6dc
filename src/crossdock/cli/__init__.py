"""The command line. Each command's module is imported when the command is used."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from crossdock.core.errors import CrossdockError

from .output import FAILED, INTERRUPTED, MISUSE, NOTHING, complain, examples

_HELP = "One message queue, from the command line."
_EPILOGUE = """Every option can be set by an environment variable too; --help of a command names them.

Exit codes: 0 done, 1 failed, 2 misused, 4 nothing there, 130 interrupted."""

app = App(
    name="crossdock",
    help=_HELP,
    help_epilogue=_EPILOGUE,
    help_format="plaintext",
    help_flags=["--help", "-h"],
    version_flags=[],
    default_parameter=Parameter(negative=(), show_default=False),
    result_action="return_value",
)

_COMMANDS = (
    ("serve", "serve:serve", "Run a server.", ["serve", "serve --store memory:// --http 127.0.0.1:9000"]),
    ("send", "messages:send", "Send messages.", ["send orders '{\"order\": 42}'", "send orders --lines < orders.txt"]),
    ("recv", "messages:recv", "Receive messages.", ["recv orders --wait 20s --ack", "recv orders --follow --ack"]),
    ("peek", "messages:peek", "Look at messages.", ["peek orders --max 3", "peek orders --state leased"]),
    ("ack", "messages:ack", "Acknowledge messages.", ["ack orders 1.1.5ab3"]),
    ("nack", "messages:nack", "Give messages back.", ["nack orders 1.1.5ab3 --delay 1m --error 'no such order'"]),
    ("migrate", "about:migrate", "Bring a store up to date.", ["migrate --store sqlite:///jobs.db"]),
    (
        "bench",
        "bench:bench",
        "Measure.",
        ["bench --store sqlite:///jobs.db", "bench --door http --rate 1000", "bench --versus"],
    ),
    (
        "worker",
        "worker:worker",
        "Run a program's handlers.",
        ["worker jobs:worker", "worker shop.jobs:worker --log-format json"],
    ),
    ("version", "about:version", "Print the version.", ["version -o json"]),
)
_EXIT_CODES = {"invalid_argument": MISUSE, "config_error": MISUSE, "queue_not_found": NOTHING}
"""By the code of the error; any other is FAILED."""

for _name, _place, _help, _examples in _COMMANDS:
    app.command(f"crossdock.cli.{_place}", name=_name, help=_help, help_epilogue=examples(*_examples))
app.command("crossdock.cli.queue:app", name="queue", help="Manage queues.")
app.command("crossdock.cli.dlq:app", name="dlq", help="Manage dead letters.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    try:
        return app(arguments, exit_on_error=False, print_error=False) or 0
    except CycloptsError as error:
        complain(str(error))
        return MISUSE
    except CrossdockError as error:
        complain(str(error))
        return _EXIT_CODES.get(error.code, FAILED)
    except BrokenPipeError:
        # The reader has gone, and nobody is left to tell. The interpreter's last flush must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED

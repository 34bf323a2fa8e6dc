"""bench: what a store and a door carry, and how far that is from the raw limit."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from crossdock.bench.load import MESSAGES_MAX, Load
from crossdock.bench.report import machine
from crossdock.bench.run import Place, Progress, run_load
from crossdock.bench.versus import run_versus
from crossdock.core.errors import InvalidArgument
from crossdock.core.limits import check_range

from .options import Printed, option
from .output import FAILED, OK, Output

REPEATS_MAX = 100


def bench(
    *names: Annotated[str, Parameter(help="With --versus: what to run. Default: everything")],
    door: Annotated[Literal["embedded", "http"], option("BENCH_DOOR", "Door. Default: embedded")] = "embedded",
    store: Annotated[
        str, option("BENCH_STORE", "memory://, sqlite:///FILE or log:///FOLDER. Default: memory://")
    ] = "memory://",
    url: Annotated[str, option("BENCH_URL", "With --door http: a server that runs already, instead of --store")] = "",
    api_key: Annotated[str, option("API_KEY", "API key of that server. Better set in the environment.")] = "",
    senders: Annotated[int, option("BENCH_SENDERS", "Senders at once. Default: 8")] = 8,
    receivers: Annotated[int, option("BENCH_RECEIVERS", "Receivers at once; 0: only send. Default: 8")] = 8,
    messages: Annotated[
        int, option("BENCH_MESSAGES", "End after so many. Default: when the time is over")
    ] = MESSAGES_MAX,
    seconds: Annotated[float, option("BENCH_SECONDS", "How long to measure. Default: 5")] = 5,
    warmup: Annotated[float, option("BENCH_WARMUP", "Seconds before that, not measured. Default: 1")] = 1,
    size: Annotated[int, option("BENCH_SIZE", "Bytes of a body. Default: 100")] = 100,
    batch: Annotated[int, option("BENCH_BATCH", "Messages of a send, and most of a receive. Default: 1")] = 1,
    rate: Annotated[float, option("BENCH_RATE", "Messages a second, on a fixed schedule. Default: flat out")] = 0,
    versus: Annotated[bool, option("BENCH_VERSUS", "Compare with the raw limit, by turns in one run")] = False,
    quick: Annotated[bool, option("BENCH_QUICK", "With --versus: in seconds, to see that it works")] = False,
    repeat: Annotated[
        int | None, option("BENCH_REPEAT", "How often. Default: once; with --versus 5 times, the medians count")
    ] = None,
    out: Annotated[Path | None, option("BENCH_OUT", "Write the results to this file as JSON, too")] = None,
    output: Printed = None,
) -> int:
    """Measure. Latencies count from when a send was due, not from when it began.

    Without --versus, a load is put through a queue of its own, and what was lost, duplicated or out of order is
    counted: exit code 1 if anything was. With it, exit code 1 means that a target was missed.
    """
    if names and not versus:
        raise InvalidArgument("name", names[0], "needs --versus")
    if repeat is not None:
        check_range("--repeat", repeat, 1, REPEATS_MAX)
    with _progress() as progress:
        if versus:
            outcomes = run_versus(names, repeat or 5, quick, progress)
            rows = [outcome.row() for outcome in outcomes]
            good = quick or all(outcome.met for outcome in outcomes)
        else:
            load = Load(
                senders=senders,
                receivers=receivers,
                messages=messages,
                seconds=seconds,
                warmup=warmup,
                size=size,
                batch=batch,
                rate=rate,
            )
            rows = run_load(Place(door, store, url, api_key), load, repeat or 1, progress)
            good = not any(row["lost"] or row["duplicate"] or row["out_of_order"] for row in rows)
    _print(rows, Output(output), out)
    return OK if good else FAILED


def _print(rows: Sequence[dict[str, object]], printer: Output, out: Path | None) -> None:
    whole = {"machine": machine(), "results": rows}
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
    if printer.form != "table":
        printer.one(whole)
        return
    printer.one(machine())
    for row in rows:
        printer.one({"": ""} | row)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Shows on a terminal what is being measured."""
    if not sys.stderr.isatty():
        yield lambda what, number, count: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task: Any = bar.add_task("", total=1)
        yield lambda what, number, count: bar.update(task, description=what, completed=number, total=count)

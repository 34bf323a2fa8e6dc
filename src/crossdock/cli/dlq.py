"""Dead letters: ls, redrive."""

from typing import Annotated

from cyclopts import App, Parameter

from crossdock.aio import Connection
from crossdock.core.model import DEFAULT_GROUP, DEFAULT_NAMESPACE, Address
from crossdock.core.policy import DEAD_LETTER_SUFFIX, dead_letter_name

from .messages import peeked_row
from .options import HERE, Target, option
from .output import OK, examples, nothing_there

Name = Annotated[str, Parameter(help="Name of the queue whose messages died, or of the dead-letter queue itself")]

app = App(
    name="dlq",
    help="Manage dead letters.",
    help_epilogue=examples("dlq ls orders", "dlq redrive orders", "dlq redrive orders 17 18"),
)


@app.command
async def ls(
    name: Name,
    /,
    *,
    max: Annotated[int, option("DLQ_MAX", "How many at most. Default: 100")] = 100,
    target: Target = HERE,
) -> int:
    """List the dead letters of a queue, oldest first. Their headers say why they died."""
    async with target.connect() as mq:
        found = await mq.transport.browse(await _dead_letters(mq, name), DEFAULT_GROUP, max)
    target.printer().rows([peeked_row(each) for each in found])
    return OK if found else nothing_there(f"queue {name!r} has no dead letters")


@app.command
async def redrive(
    name: Name,
    ids: Annotated[list[int] | None, Parameter(help="Ids of messages; all of them when none is given")] = None,
    /,
    *,
    target: Target = HERE,
) -> int:
    """Move dead letters back to the queues they came from, their attempts at 0."""
    async with target.connect() as mq:
        count = await mq.transport.redrive(await _dead_letters(mq, name), ids)
    target.printer().one({"name": name, "redriven": count})
    return OK if count else nothing_there("no message was redriven")


async def _dead_letters(mq: Connection, name: str) -> Address:
    """The dead-letter queue of a queue; one that is itself a dead-letter queue stands for itself."""
    if name.endswith(DEAD_LETTER_SUFFIX):
        return (DEFAULT_NAMESPACE, name)
    stats = await mq.transport.stats((DEFAULT_NAMESPACE, name))
    return (DEFAULT_NAMESPACE, dead_letter_name(name, stats.settings) or name)

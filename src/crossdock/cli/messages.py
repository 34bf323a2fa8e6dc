"""Messages: send, recv, peek, ack, nack."""

import sys
from collections.abc import Iterator
from typing import Annotated, BinaryIO

from cyclopts import Parameter

from crossdock.core.durations import parse_duration
from crossdock.core.errors import Failures, InvalidArgument
from crossdock.core.ids import parse_receipt, receipt_text
from crossdock.core.limits import BATCH_BYTES_MAX, BATCH_MESSAGES_MAX, BODY_BYTES_MAX, WAIT_MS_MAX
from crossdock.core.model import DEFAULT_GROUP, DEFAULT_NAMESPACE, Delivery, Message, Peeked, State

from .options import HERE, Group, Target, option
from .output import FAILED, OK, Row, body_parts, complain, nothing_there, time_text

Queue = Annotated[str, Parameter(help="Name of the queue")]
Receipts = Annotated[list[str], Parameter(help="Receipts that recv printed")]


async def send(
    queue: Queue,
    body: Annotated[
        str, Parameter(help="The message; - (the default) reads it from stdin", allow_leading_hyphen=True)
    ] = "-",
    /,
    *,
    lines: Annotated[bool, option("SEND_LINES", "With stdin: one message for each line")] = False,
    delay: Annotated[str, option("SEND_DELAY", "Deliver after this time, such as 30s")] = "0",
    priority: Annotated[int, option("SEND_PRIORITY", "Lower ones are delivered first. Default: 0")] = 0,
    ttl: Annotated[str, option("SEND_TTL", "Forget the message after this time. Default: the queue's")] = "0",
    dedup_id: Annotated[str | None, option("SEND_DEDUP_ID", "Send only once in the queue's window")] = None,
    ordering_key: Annotated[str | None, option("SEND_ORDERING_KEY", "Messages of one key come one by one")] = None,
    header: Annotated[tuple[str, ...], option("SEND_HEADER", "NAME=VALUE, several times if need be", "-H")] = (),
    target: Target = HERE,
) -> int:
    """Send a message, or one for each line of stdin. Prints the ids."""
    if lines and (body != "-" or dedup_id is not None):
        raise InvalidArgument("--lines", body if dedup_id is None else dedup_id, "takes stdin, and no --dedup-id")

    def message(content: bytes) -> Message:
        return Message(
            content,
            headers=dict(_header(text) for text in header) or None,
            priority=priority,
            delay=parse_duration("--delay", delay),
            ttl=parse_duration("--ttl", ttl),
            dedup_id=dedup_id,
            ordering_key=ordering_key,
        )

    printer = target.printer()
    async with target.connect() as mq:
        for bodies in _bodies(body, lines):
            result = await mq.transport.send((DEFAULT_NAMESPACE, queue), [message(content) for content in bodies])
            duplicates = set(result.duplicates)
            printer.rows([{"id": id, "duplicate": index in duplicates} for index, id in enumerate(result.ids)])
    return OK


async def recv(
    queue: Queue,
    /,
    *,
    max: Annotated[int, option("RECV_MAX", "How many messages at most. Default: 1")] = 1,
    wait: Annotated[str, option("RECV_WAIT", "Wait this long for the first. Default: not at all")] = "0",
    lease: Annotated[str, option("RECV_LEASE", "Keep the messages for this long. Default: the queue's lease")] = "0",
    group: Group = DEFAULT_GROUP,
    ack: Annotated[bool, option("RECV_ACK", "Acknowledge as soon as printed")] = False,
    follow: Annotated[bool, option("RECV_FOLLOW", "Go on until interrupted")] = False,
    target: Target = HERE,
) -> int:
    """Receive messages and print them with their receipts. Without --ack they come back when their lease ends."""
    address = (DEFAULT_NAMESPACE, queue)
    lease_ms = parse_duration("--lease", lease)
    wait_ms = WAIT_MS_MAX if follow else parse_duration("--wait", wait)
    printer = target.printer()
    async with target.connect() as mq:
        while True:
            deliveries = await mq.transport.receive(address, group, max, lease_ms, wait_ms)
            if deliveries or not follow:
                printer.rows([_delivery_row(delivery) for delivery in deliveries])
            if ack and deliveries and _report(await mq.transport.ack(address, group, deliveries)):
                return FAILED
            if not follow:
                break
    return OK if deliveries else nothing_there(f"no message is ready in queue {queue!r}")


async def peek(
    queue: Queue,
    /,
    *,
    max: Annotated[int, option("PEEK_MAX", "How many messages at most. Default: 10")] = 10,
    state: Annotated[State | None, option("PEEK_STATE", "Those in this state, by id. Default: what comes next")] = None,
    group: Group = DEFAULT_GROUP,
    target: Target = HERE,
) -> int:
    """Look at the messages that come next, without effect on them."""
    address = (DEFAULT_NAMESPACE, queue)
    async with target.connect() as mq:
        if state is None:
            found = await mq.transport.peek(address, group, max)
        else:
            found = await mq.transport.browse(address, group, max, state=state)
    target.printer().rows([peeked_row(each) for each in found])
    return OK if found else nothing_there(f"nothing to see in queue {queue!r}")


async def ack(queue: Queue, receipts: Receipts, /, *, group: Group = DEFAULT_GROUP, target: Target = HERE) -> int:
    """Acknowledge messages: they are done."""
    parsed = [parse_receipt(text) for text in receipts]
    async with target.connect() as mq:
        failures = await mq.transport.ack((DEFAULT_NAMESPACE, queue), group, parsed)
    return _report(failures)


async def nack(
    queue: Queue,
    receipts: Receipts,
    /,
    *,
    delay: Annotated[str | None, option("NACK_DELAY", "Until the next try. Default: the queue's backoff")] = None,
    error: Annotated[str, option("NACK_ERROR", "Why; kept with the message")] = "",
    group: Group = DEFAULT_GROUP,
    target: Target = HERE,
) -> int:
    """Give messages back for a later try."""
    parsed = [parse_receipt(text) for text in receipts]
    delay_ms = None if delay is None else parse_duration("--delay", delay)
    async with target.connect() as mq:
        failures = await mq.transport.nack((DEFAULT_NAMESPACE, queue), group, parsed, delay_ms, error)
    return _report(failures)


def peeked_row(peeked: Peeked) -> Row:
    """What there is to say about a message that was looked at."""
    row = {"id": peeked.message.id, "state": peeked.state, "attempts": peeked.attempts, "due": time_text(peeked.due)}
    return row | _message_parts(peeked.message)


def _delivery_row(delivery: Delivery) -> Row:
    row = {"id": delivery.id, "receipt": receipt_text(delivery), "attempt": delivery.attempt}
    return row | {"lease_until": time_text(delivery.lease_until)} | _message_parts(delivery.message)


def _message_parts(message: Message) -> dict[str, object]:
    parts: dict[str, object] = {"enqueued_at": time_text(message.enqueued_at), "priority": message.priority}
    if message.headers:
        parts["headers"] = message.headers
    if message.ordering_key is not None:
        parts["ordering_key"] = message.ordering_key
    return parts | body_parts(message.body)


def _report(failures: Failures) -> int:
    for _, error in sorted(failures.items()):
        complain(str(error))
    return FAILED if failures else OK


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidArgument("--header", text, "must be NAME=VALUE")
    return name, value


def _bodies(body: str, lines: bool) -> Iterator[list[bytes]]:
    """Batches of bodies, within the bounds of one send; no more of stdin is held than a batch."""
    if not lines:
        yield [_whole(sys.stdin.buffer) if body == "-" else body.encode()]
        return
    batch: list[bytes] = []
    size = 0
    for line in _lines(sys.stdin.buffer):
        if len(batch) == BATCH_MESSAGES_MAX or size + len(line) > BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _whole(stream: BinaryIO) -> bytes:
    body = stream.read(BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        raise InvalidArgument("body", "more", f"must have at most {BODY_BYTES_MAX} bytes")
    return body


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(BODY_BYTES_MAX + 2):
        number += 1
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        if len(content) > BODY_BYTES_MAX:
            raise InvalidArgument(f"line {number}", "more", f"must have at most {BODY_BYTES_MAX} bytes")
        yield content

"""The memory store in this process, through the blocking API, against the standard library's queue."""

import queue
import time
from collections.abc import Callable
from contextlib import nullcontext

import crossdock.client.blocking as crossdock

from .contest import Contest, Sample, Side

BODY = b"x" * 100
FILL = 1_000
"""Messages of a send that only prepares."""


def _send(count: int, mq: crossdock.Connection) -> float:
    send = mq.queue("bench").send
    began = time.perf_counter()
    for _ in range(count):
        send(BODY)
    return time.perf_counter() - began


def _send_many(count: int, mq: crossdock.Connection) -> float:
    send_many = mq.queue("bench").send_many
    batch = [BODY] * 100
    began = time.perf_counter()
    for _ in range(count // 100):
        send_many(batch)
    return time.perf_counter() - began


def _receive_and_ack_each(count: int, mq: crossdock.Connection) -> float:
    receive = _filled(count, mq).receive
    began = time.perf_counter()
    while deliveries := receive(10):
        for delivery in deliveries:
            delivery.ack()
    return time.perf_counter() - began


def _receive_and_ack_batch(count: int, mq: crossdock.Connection) -> float:
    filled = _filled(count, mq)
    began = time.perf_counter()
    while deliveries := filled.receive(100):
        filled.ack(deliveries)
    return time.perf_counter() - began


def _fan_out(count: int, mq: crossdock.Connection, groups: int) -> float:
    """Send to so many groups; each receives and acks each message by itself."""
    bench = mq.queue("bench")
    readers = [bench.group(f"group-{number}") for number in range(groups)]
    for reader in readers:
        reader.receive()  # so that the group is there, as it is in use
    began = time.perf_counter()
    for _ in range(count):
        bench.send(BODY)
        for reader in readers:
            for delivery in reader.receive():
                delivery.ack()
    return time.perf_counter() - began


def _filled(count: int, mq: crossdock.Connection) -> crossdock.Queue:
    filled = mq.queue("bench")
    filled.receive()  # so that the group is there, as it is in use
    for start in range(0, count, FILL):
        filled.send_many([BODY] * min(FILL, count - start))
    return filled


def _put(count: int) -> float:
    put = queue.Queue[bytes]().put
    began = time.perf_counter()
    for _ in range(count):
        put(BODY)
    return time.perf_counter() - began


def _get(count: int) -> float:
    filled = queue.Queue[bytes]()
    for _ in range(count):
        filled.put(BODY)
    get = filled.get
    began = time.perf_counter()
    for _ in range(count):
        get()
    return time.perf_counter() - began


def _ours(run: Callable[[int, crossdock.Connection], float]) -> Side:
    """A side of a new memory store for each measurement."""

    def measure(count: int) -> Sample:
        with crossdock.connect("memory://") as mq:
            return Sample(count, run(count, mq))

    return lambda folder: nullcontext(measure)


def _raw(run: Callable[[int], float]) -> Side:
    return lambda folder: nullcontext(lambda count: Sample(count, run(count)))


CONTESTS = (
    Contest(
        name="embedded-send",
        level="memory",
        ours=_ours(_send),
        raw=_raw(_put),
        against="queue.Queue.put",
        messages=100_000,
        target=0.35,
        limit="Python calls of client, checks and engine; put makes no object, a send makes a message.",
    ),
    Contest(
        name="embedded-send-many",
        level="memory",
        ours=_ours(_send_many),
        raw=_raw(_put),
        against="queue.Queue.put, send_many of 100",
        messages=200_000,
        target=1.0,
        limit="The loop of the engine over the messages; client, checks and lock are paid once in 100.",
    ),
    Contest(
        name="embedded-receive-10",
        level="memory",
        ours=_ours(_receive_and_ack_each),
        raw=_raw(_get),
        against="queue.Queue.get, receive(10) and an ack for each",
        messages=100_000,
        target=0.5,
        limit="Python calls of a single ack, from client to engine; beside them, making the delivery.",
    ),
    Contest(
        name="embedded-receive-100",
        level="memory",
        ours=_ours(_receive_and_ack_batch),
        raw=_raw(_get),
        against="queue.Queue.get, receive(100) and one ack of all",
        messages=200_000,
        target=1.0,
        limit="Making the deliveries and their leases; all calls are paid once in 100.",
    ),
    Contest(
        name="embedded-fan-out-10",
        level="memory",
        ours=_ours(lambda count, mq: _fan_out(count, mq, 10)),
        raw=_ours(lambda count, mq: _fan_out(count, mq, 1)),
        against="one group; a send, and a receive and an ack by each of 10 groups",
        messages=5_000,
        target=7.0,
        costs=True,
        limit="Receives and acks are ten times as many; the message and its send are shared.",
    ),
)

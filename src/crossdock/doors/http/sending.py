"""Enqueue: one message, or a batch."""

from collections.abc import Sequence

from crossdock.broker.checks import check_batch
from crossdock.core.errors import InvalidArgument, MessageExpired, QueueFull
from crossdock.core.limits import BATCH_BYTES_MAX, BODY_BYTES_MAX
from crossdock.core.model import Address
from crossdock.wire.json_api import (
    BatchEnqueued,
    Duplicate,
    Enqueue,
    EnqueueBatch,
    Enqueued,
    FailedMessage,
    message_of,
)

from .answer import Answer, encode
from .door import Door
from .errors import describe
from .operation import QUEUE, Operation
from .request import Call

TAG = "messages"
OPTIONS_BYTES_MAX = 64 * 1024
"""What a message may need in a request beside its body."""
ENQUEUE_BYTES_MAX = BODY_BYTES_MAX * 4 // 3 + OPTIONS_BYTES_MAX
"""A body in base64, with its options."""
BATCH_REQUEST_BYTES_MAX = BATCH_BYTES_MAX * 4 // 3 + 16 * OPTIONS_BYTES_MAX
REFUSALS = (InvalidArgument, QueueFull, MessageExpired)
"""What is wrong with a message itself, so that others of its batch may be stored."""


class Sending:
    """The routes that store messages."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker

    def operations(self) -> list[Operation]:
        return [
            Operation(
                "POST",
                QUEUE + "/enqueue",
                self.enqueue,
                TAG,
                {202: Enqueued, 409: Duplicate},
                request=Enqueue,
                bytes_max=ENQUEUE_BYTES_MAX,
            ),
            Operation(
                "POST",
                QUEUE + "/enqueue/batch",
                self.enqueue_batch,
                TAG,
                {202: BatchEnqueued},
                request=EnqueueBatch,
                bytes_max=BATCH_REQUEST_BYTES_MAX,
            ),
        ]

    async def enqueue(self, call: Call[Enqueue]) -> Answer:
        """Store a message."""
        result = await self._broker.send(call.address, [message_of(call.request)])
        if result.duplicates:
            return Answer(409, encode(Duplicate("duplicate message", result.ids[0])))
        return Answer(202, encode(Enqueued("enqueued", call.request.message)))

    async def enqueue_batch(self, call: Call[EnqueueBatch]) -> Answer:
        """Store up to 1000 messages."""
        messages = call.request.messages
        check_batch("messages", len(messages))
        if call.request.mode == "allOrNothing":
            result = await self._broker.send(call.address, [message_of(each) for each in messages])
            reply = BatchEnqueued("enqueued", len(messages), 0, [], result.ids, result.duplicates)
            return Answer(202, encode(reply))
        stop = call.request.mode == "stopOnFailure"
        failed = None if stop and has_dedup(messages) else await self._at_once(call.address, messages)
        if failed is None:
            stored, failed = await self._one_by_one(call.address, messages, stop)
        else:
            stored = len(messages) - len(failed)
        return Answer(202, encode(BatchEnqueued("enqueued", stored, len(failed), failed)))

    async def _at_once(self, address: Address, messages: Sequence[Enqueue]) -> list[FailedMessage] | None:
        """Store all in one write; None, and nothing is stored, when one of them is refused."""
        try:
            result = await self._broker.send(address, [message_of(each) for each in messages])
        except REFUSALS:
            return None
        return [FailedMessage(index, messages[index].message, "duplicate message") for index in result.duplicates]

    async def _one_by_one(
        self, address: Address, messages: Sequence[Enqueue], stop: bool
    ) -> tuple[int, list[FailedMessage]]:
        """Store each by itself; returns how many were stored, and the others. `stop` ends it at the first failure."""
        stored = 0
        failed: list[FailedMessage] = []
        for index, each in enumerate(messages):
            reason = await self._store(address, each)
            if reason is None:
                stored += 1
                continue
            failed.append(FailedMessage(index, each.message, reason))
            if stop:
                break
        return stored, failed

    async def _store(self, address: Address, request: Enqueue) -> str | None:
        """Store one message; returns what is wrong with it otherwise."""
        try:
            result = await self._broker.send(address, [message_of(request)])
        except REFUSALS as error:
            return describe(error)
        return "duplicate message" if result.duplicates else None


def has_dedup(messages: Sequence[Enqueue]) -> bool:
    """Whether any of the messages may turn out to be a duplicate."""
    return any(each.deduplication_id is not None for each in messages)

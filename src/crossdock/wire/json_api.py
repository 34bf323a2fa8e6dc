"""The JSON API's requests and responses on the path of a message, as both ends see them.

Durations in requests are numbers of seconds or Go's notation (`"1m30s"`). Points in time are milliseconds since the
epoch, except `inserted_at`, which is RFC 3339 text. What has no value is left out of a response.
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from crossdock.core.durations import to_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.ids import parse_receipt, receipt_text
from crossdock.core.limits import ID_MAX
from crossdock.core.model import Delivery, Headers, Message, Plain, Receipt

from .json_api_bodies import Encoding, body_of, payload_of

Duration = int | float | str
MessageId = Annotated[int, Meta(ge=1, le=ID_MAX)]

JsonText = Annotated[Raw, Meta(description="Any JSON.")]
Encoded = Annotated[Encoding | None, Meta(description="`base64`: the text stands for bytes that are not JSON.")]
Delay = Annotated[Duration, Meta(description="Time until the first delivery.")]
DeduplicationId = Annotated[str | None, Meta(description="Of two messages with one id the second is not stored.")]
Priority = Annotated[int, Meta(description="From -1000 to 1000; lower is delivered first.")]
Ttl = Annotated[Duration, Meta(description="Time to live from acceptance; 0: the queue's setting.")]
OrderingKey = Annotated[str | None, Meta(description="Each group gets messages of one key in order, one at a time.")]
DeliverAt = Annotated[int, Meta(description="Time of the first delivery, ms since the epoch.")]
Time = Annotated[int, Meta(description="Milliseconds since the epoch.")]
Limit = Annotated[int | None, Meta(description="At most so many; the response then has `messages`, not `message`.")]
Lease = Annotated[Duration, Meta(description="How long the message is this consumer's alone; 0: the queue's setting.")]
Wait = Annotated[Duration, Meta(description="How long to wait when there is no message.")]
AutoAck = Annotated[bool, Meta(description="Settle the messages before they are handed out: at most once.")]
RetryDelay = Annotated[Duration | None, Meta(description="Time until the next delivery; null: the queue's backoff.")]
Reason = Annotated[str, Meta(description="Why, for whoever looks at the message later.")]
ExtendSec = Annotated[float, Meta(description="The lease ends so many seconds from now.")]
Mode = Annotated[
    Literal["partialSuccess", "stopOnFailure", "allOrNothing"],
    Meta(
        description="What happens to the others when a message cannot be stored. partialSuccess: nothing. "
        "stopOnFailure: those after it are not tried. allOrNothing: none is stored and the request fails with the "
        "message's error; a duplicate is no failure, and the response has `ids` and `duplicates`."
    ),
]


class Request(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A request body. A field it does not know is refused."""


class Enqueue(Request):
    """A message to store. `delay` and `deliver_at` exclude each other."""

    message: JsonText
    encoding: Encoded = None
    delay: Delay = 0
    deduplication_id: DeduplicationId = None
    priority: Priority = 0
    ttl: Ttl = 0
    ordering_key: OrderingKey = None
    headers: Headers | None = None
    deliver_at: DeliverAt = 0


class EnqueueBatch(Request):
    """Up to 1000 messages to store."""

    messages: list[Enqueue]
    mode: Mode = "partialSuccess"


class Enqueued(Struct):
    """The message is stored."""

    status: Literal["enqueued"]
    message: JsonText


class FailedMessage(Struct):
    """A message of a batch that was not stored."""

    index: int
    message: JsonText
    error: str


class BatchEnqueued(Struct, omit_defaults=True):
    """What became of a batch."""

    status: Literal["enqueued"]
    success_count: int
    failure_count: int
    failed_messages: list[FailedMessage]
    ids: Annotated[list[int], Meta(description="The id of each message, that of the first for a duplicate.")] = []
    duplicates: Annotated[list[int], Meta(description="Indexes of those that were sent before.")] = []


class Duplicate(Struct):
    """A message with this deduplication id was sent before."""

    error: Literal["duplicate message"]
    id: Annotated[int, Meta(description="The first one's.")]


class Dequeue(Request):
    """Who wants messages, how many, for how long."""

    group: str
    consumer_id: str
    limit: Limit = None
    lease: Lease = 0
    wait: Wait = 0
    auto_ack: AutoAck = False


class Stored(Struct, omit_defaults=True, gc=False):
    """A message as responses show it."""

    id: int
    receipt: str
    payload: JsonText
    encoding: Encoded = None
    headers: Headers | None = None
    priority: Priority = 0
    ordering_key: OrderingKey = None
    deduplication_id: DeduplicationId = None
    enqueued_at: Time = 0
    deliver_at: DeliverAt = 0
    expires_at: Time = 0


class Delivered(Stored):
    """A message in the hands of a consumer."""

    attempt: Annotated[int, Meta(description="The how manieth delivery of the message to the group.")] = 0
    lease_until: Time = 0


class Dequeued(Struct):
    """A message was leased."""

    status: Literal["dequeued"]
    message: Delivered


class DequeuedMany(Struct):
    """Messages were leased; the answer to a `limit`."""

    status: Literal["dequeued"]
    messages: list[Delivered]


class Settle(Request):
    """One delivery."""

    group: str
    message_id: MessageId
    receipt: str


class Nack(Settle):
    """A delivery to try again later."""

    delay: RetryDelay = None
    error: Reason = ""


class Reject(Settle):
    """A delivery to dead-letter now."""

    error: Reason = ""


class Renew(Settle):
    """A lease to move."""

    extend_sec: ExtendSec


class ReceiptRef(Request):
    """One delivery of a batch."""

    message_id: MessageId
    receipt: str


class SettleBatch(Request):
    """Up to 1000 deliveries of a group."""

    group: str
    messages: list[ReceiptRef]


class NackBatch(SettleBatch):
    """Deliveries to try again later."""

    delay: RetryDelay = None
    error: Reason = ""


class RejectBatch(SettleBatch):
    """Deliveries to dead-letter now."""

    error: Reason = ""


class RenewBatch(SettleBatch):
    """Leases to move."""

    extend_sec: ExtendSec


class FailedReceipt(Struct):
    """A delivery of a batch whose receipt is stale."""

    index: int
    message_id: int
    error: str
    code: Annotated[str, Meta(description="`lease_lost` or `message_not_found`.")]


class BatchSettled(Struct):
    """What became of a batch."""

    status: str
    success_count: int
    failure_count: int
    failed_messages: list[FailedReceipt]


class Status(Struct):
    """What was done."""

    status: str


class Problem(Struct, omit_defaults=True):
    """Why a request was not done. `code` is stable, `error` is for people."""

    error: str
    code: str = ""
    request_id: str = ""


def message_of(request: Enqueue) -> Message:
    """The message to send. Raises InvalidArgument."""
    if request.delay and request.deliver_at:
        raise InvalidArgument("deliver_at", request.deliver_at, "must not be given together with delay")
    body = body_of(request.message, request.encoding)
    if (
        request.headers is None
        and request.deduplication_id is None
        and request.ordering_key is None
        and not (request.priority or request.delay or request.ttl or request.deliver_at)
    ):
        return Plain(body)
    return Message(
        body,
        request.headers,
        request.priority,
        to_ms("delay", request.delay) if request.delay else 0,
        to_ms("ttl", request.ttl) if request.ttl else 0,
        request.deduplication_id,
        request.ordering_key,
        request.deliver_at,
    )


def receipt_of(request: Settle | ReceiptRef) -> Receipt | None:
    """The receipt of a request; None when no delivery of this message can have had it."""
    try:
        receipt = parse_receipt(request.receipt)
    except InvalidArgument:
        return None
    return receipt if receipt.id == request.message_id else None


def delivered(delivery: Delivery) -> Delivered:
    """A delivery as a response shows it."""
    return Delivered(
        *shown(delivery.message, receipt_text(delivery)),
        delivery.attempt,
        delivery.lease_until,
    )


Shown = tuple[int, str, Raw, Encoding | None, Headers | None, int, str | None, str | None, int, int, int]
"""The fields of `Stored`."""


def shown(message: Message, receipt: str = "") -> Shown:
    """What every response that shows a message has."""
    payload, encoding = payload_of(message.body)
    return (
        message.id,
        receipt,
        payload,
        encoding,
        message.headers,
        message.priority,
        message.ordering_key,
        message.dedup_id,
        message.enqueued_at,
        message.deliver_at if message.deliver_at != message.enqueued_at else 0,
        message.expires_at,
    )

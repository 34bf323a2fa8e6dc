"""Requests and responses of queue.v1 <-> core objects. They are those of the JSON API, with text for a body."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from crossdock.core.durations import to_ms
from crossdock.core.errors import InvalidArgument
from crossdock.core.ids import parse_receipt, receipt_text
from crossdock.core.model import Delivery, Message, Plain, QueueStats, Receipt

from ..json_api_bodies import Malformed
from . import queue_pb2 as pb

BASE64 = "base64"

_PLAIN_FIELDS = 2
"""Queue and text: a request that has no more says nothing else of its message."""

Settling = pb.AckRequest | pb.NackRequest | pb.RenewRequest


def message_of(request: pb.EnqueueRequest) -> Message:
    """The message to send. Raises InvalidArgument."""
    if request.delay and request.deliver_at:
        raise InvalidArgument("deliver_at", request.deliver_at, "must not be given together with delay")
    body = _body_of(request.message, request.encoding)
    if len(request.ListFields()) <= _PLAIN_FIELDS:
        return Plain(body)
    return Message(
        body,
        dict(request.headers) or None,
        request.priority,
        duration("delay", request.delay),
        duration("ttl", request.ttl),
        request.deduplication_id or None,
        request.ordering_key or None,
        request.deliver_at,
    )


def plain(text: str) -> Message:
    """A message with this text."""
    return Plain(text.encode())


def _body_of(text: str, encoding: str) -> bytes:
    if not encoding:
        return text.encode()
    if encoding != BASE64:
        raise InvalidArgument("encoding", encoding, f'must be "" or "{BASE64}"')
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Malformed("message", "must be base64 text") from None


def duration(field: str, text: str) -> int:
    """The ms of a duration; 0 when it is not given. Raises InvalidArgument."""
    return to_ms(field, text) if text else 0


def receipt_of(request: Settling) -> Receipt | None:
    """The receipt of a request; None when no delivery of this message can have had it."""
    try:
        receipt = parse_receipt(request.receipt)
    except InvalidArgument:
        return None
    return receipt if receipt.id == request.message_id else None


def shown(message: Message) -> pb.DequeueMessage:
    """A message that nobody holds."""
    payload, encoding = _payload_of(message.body)
    return pb.DequeueMessage(
        payload=payload,
        encoding=encoding,
        id=message.id,
        headers=message.headers or {},
        priority=message.priority,
        ordering_key=message.ordering_key or "",
        deduplication_id=message.dedup_id or "",
        enqueued_at=message.enqueued_at,
        deliver_at=message.deliver_at if message.deliver_at != message.enqueued_at else 0,
        expires_at=message.expires_at,
    )


def delivered(delivery: Delivery) -> pb.DequeueMessage:
    """A message in the hands of a consumer."""
    told = shown(delivery.message)
    told.receipt = receipt_text(delivery)
    told.attempt = delivery.attempt
    told.lease_until = delivery.lease_until
    return told


def _payload_of(body: bytes) -> tuple[str, str]:
    try:
        return body.decode(), ""
    except UnicodeDecodeError:
        return b64encode(body).decode(), BASE64


def status_of(stats: QueueStats, queue_type: str) -> pb.QueueStatus:
    """A queue in short."""
    return pb.QueueStatus(
        queue_name=stats.name,
        total_messages=stats.stored,
        acked_messages=stats.totals.acked,
        inflight_messages=stats.leased,
        dlq_messages=stats.dead,
        queue_type=queue_type,
    )

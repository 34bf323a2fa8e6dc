"""Messages, deliveries and settlements of crossdock.v1 <-> core objects."""

from collections.abc import Iterable

from crossdock.core.errors import Failures, InvalidArgument
from crossdock.core.ids import parse_receipt, receipt_text
from crossdock.core.model import DEFAULT_GROUP, Delivery, Message, Plain, Receipt

from . import broker_pb2 as pb


def to_send(told: pb.Message) -> Message:
    """The message that a sender describes. Raises InvalidArgument."""
    if not (told.priority or told.delay or told.ttl or told.deliver_at or told.headers) and not (
        told.HasField("dedup_id") or told.HasField("ordering_key")
    ):
        return Plain(told.body)
    if told.delay and told.deliver_at:
        raise InvalidArgument("deliver_at", told.deliver_at, "must not be given together with delay")
    return Message(
        told.body,
        dict(told.headers) or None,
        told.priority,
        told.delay,
        told.ttl,
        told.dedup_id if told.HasField("dedup_id") else None,
        told.ordering_key if told.HasField("ordering_key") else None,
        told.deliver_at,
    )


def sent(message: Message) -> pb.Message:
    """A message as its sender describes it."""
    if message.__class__ is Plain:
        return pb.Message(body=message.body)
    return pb.Message(
        body=message.body,
        headers=message.headers,
        priority=message.priority,
        delay=message.delay,
        ttl=message.ttl,
        dedup_id=message.dedup_id,
        ordering_key=message.ordering_key,
        deliver_at=message.deliver_at,
    )


def stored(message: Message) -> pb.Message:
    """A stored message."""
    shown = pb.Message(body=message.body, id=message.id, enqueued_at=message.enqueued_at)
    if message.deliver_at != message.enqueued_at:
        shown.deliver_at = message.deliver_at
    if message.__class__ is not Plain:
        if message.headers:
            shown.headers.update(message.headers)
        shown.priority = message.priority
        if message.dedup_id is not None:
            shown.dedup_id = message.dedup_id
        if message.ordering_key is not None:
            shown.ordering_key = message.ordering_key
    shown.expires_at = message.expires_at
    return shown


def message_of(shown: pb.Message) -> Message:
    """The stored message that a response shows."""
    return Message(
        shown.body,
        dict(shown.headers) or None,
        shown.priority,
        dedup_id=shown.dedup_id if shown.HasField("dedup_id") else None,
        ordering_key=shown.ordering_key if shown.HasField("ordering_key") else None,
        deliver_at=shown.deliver_at or shown.enqueued_at,
        expires_at=shown.expires_at,
        id=shown.id,
        enqueued_at=shown.enqueued_at,
    )


def delivered(delivery: Delivery) -> pb.Delivery:
    """A delivery as a response shows it."""
    return pb.Delivery(
        message=stored(delivery.message),
        receipt=receipt_text(delivery),
        attempt=delivery.attempt,
        lease_until=delivery.lease_until,
    )


def delivery_of(shown: pb.Delivery, consumer: str) -> Delivery:
    """The delivery that a response shows."""
    receipt = parse_receipt(shown.receipt)
    return Delivery(
        receipt.id,
        receipt.epoch,
        receipt.generation,
        message_of(shown.message),
        shown.attempt,
        shown.lease_until,
        consumer,
    )


def group_of(name: str) -> str:
    """The group that a request names; the default one where it names none."""
    return name or DEFAULT_GROUP


def receipts_of(texts: Iterable[str]) -> list[Receipt]:
    """Receipts as they were handed out. Raises InvalidArgument."""
    return [parse_receipt(text) for text in texts]


def settled(tag: int, receipts: list[Receipt], failures: Failures) -> pb.Settled:
    """What became of a settlement."""
    return pb.Settled(
        tag=tag,
        failures=[
            pb.Failure(index=index, message_id=receipts[index].id, code=why.code, error=str(why))
            for index, why in sorted(failures.items())
        ],
    )

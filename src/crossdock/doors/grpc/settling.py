"""The verbs that answer deliveries, from a settlement."""

from collections.abc import Awaitable, Sequence

from crossdock.broker.broker import Broker
from crossdock.core.errors import Failures, InvalidArgument
from crossdock.core.model import Address, Receipt
from crossdock.wire.protos import broker_pb2 as pb


def settle(
    broker: Broker, address: Address, group: str, receipts: Sequence[Receipt], settlement: pb.Settlement
) -> Awaitable[Failures]:
    """Do what a settlement says to its receipts. Raises InvalidArgument."""
    how = settlement.WhichOneof("how")
    if how == "ack":
        return broker.ack(address, group, receipts)
    if how == "nack":
        nack = settlement.nack
        return broker.nack(address, group, receipts, nack.delay if nack.HasField("delay") else None, nack.error)
    if how == "reject":
        return broker.reject(address, group, receipts, settlement.reject.error)
    if how == "extend":
        return broker.extend(address, group, receipts, settlement.extend.lease)
    raise InvalidArgument("settlement", how, "must say ack, nack, reject or extend")

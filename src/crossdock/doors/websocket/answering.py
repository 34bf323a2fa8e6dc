"""What consumers say of their deliveries, on the connection that brought them."""

from collections.abc import Awaitable

from msgspec.json import encode

from crossdock.broker.broker import Broker
from crossdock.core.durations import to_ms
from crossdock.core.errors import Failures
from crossdock.core.limits import LEASE_MS_MAX, LEASE_MS_MIN, check_range
from crossdock.core.model import Address, Delivery, Receipt
from crossdock.wire.json_api import delivered
from crossdock.wire.ws import Ack, Answered, AnyAnswer, Extend, Handed, Nack, answered

from .frames import text_frame

ANSWER_BYTES_MAX = 256 * 1024
"""A message from a consumer: 1000 receipts have less."""


class Answering:
    """Does what the consumers of one group say."""

    def __init__(self, broker: Broker, address: Address, group: str) -> None:
        self._broker = broker
        self._address = address
        self._group = group

    async def do(self, answer: AnyAnswer, receipts: list[Receipt]) -> Answered:
        """Do what an answer says of these receipts. Raises InvalidArgument, QueueNotFound."""
        failures = await self._verb(answer, receipts)
        return answered(str(answer.__struct_config__.tag), receipts, failures)

    def _verb(self, answer: AnyAnswer, receipts: list[Receipt]) -> Awaitable[Failures]:
        where = (self._address, self._group, receipts)
        if isinstance(answer, Ack):
            return self._broker.ack(*where)
        if isinstance(answer, Nack):
            delay = None if answer.delay is None else to_ms("delay", answer.delay)
            return self._broker.nack(*where, delay, answer.error)
        if isinstance(answer, Extend):
            return self._broker.extend(*where, to_ms("lease", answer.lease))
        return self._broker.reject(*where, answer.error)


def lease_ms(text: str) -> int:
    """The lease that a query asks for; 0: the queue's. Raises InvalidArgument."""
    return check_range("lease", to_ms("lease", text), LEASE_MS_MIN, LEASE_MS_MAX, " ms") if text else 0


def handed(delivery: Delivery) -> bytes:
    """The frame of a message that is to be answered."""
    return text_frame(encode(Handed(delivered(delivery))))


def told(outcome: Answered) -> bytes:
    """The frame that says what became of an answer."""
    return text_frame(encode(outcome))

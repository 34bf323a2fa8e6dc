"""/ws/consume: each message of the client asks for one of the queue."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from crossdock.broker.broker import Broker
from crossdock.core.durations import to_ms
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import Address, Delivery
from crossdock.wire.json_api_bodies import decode
from crossdock.wire.ws import Consuming, Extend, decode_answer, receipts_of

from .answering import ANSWER_BYTES_MAX, Answering, handed, lease_ms, told
from .errors import NoMessage, TooManyUnanswered
from .frames import binary_frame
from .leases import Leases
from .messages import Message
from .session import Peer
from .turns import Turns

R = TypeVar("R")

HELD_MAX = 1000
"""Messages that one connection may have unanswered."""


class _Asking(Turns[R]):
    """What both ways to consume share. One message a turn: before the next, the client must have read it (F32)."""

    bytes_max = ANSWER_BYTES_MAX

    def __init__(self, peer: Peer, broker: Broker, address: Address, query: Consuming) -> None:
        super().__init__(peer)
        self._broker = broker
        self._address = address
        self._group = query.group
        self._lease = lease_ms(query.lease)
        self._consumer = query.consumer
        self._auto_ack = not query.ack

    def _receive(self) -> Awaitable[list[Delivery]]:
        return self._broker.receive(
            self._address, self._group, 1, self._lease, 0, self._consumer, self._auto_ack, DEFAULT_LEASE_MS
        )

    def _one(self, deliveries: list[Delivery]) -> Delivery:
        if not deliveries:
            raise NoMessage(self._address[1])
        return deliveries[0]

    async def close(self, rest: Sequence[Message]) -> None:
        await self.cancel()


class Consume(_Asking[list[Delivery]]):
    """Hands out messages that are gone with it: at most once. The answer is the bytes of the message."""

    def _begin(self, turn: list[Message]) -> Awaitable[list[Delivery]]:
        return self._receive()

    def _show(self, result: list[Delivery]) -> bytes:
        return binary_frame(self._one(result).message.body)


class ConsumeWithAck(_Asking[bytes]):
    """Leases messages until they are answered: at least once.

    JSON text with a `do` is an answer, anything else asks for a message. The connection's end returns its leases.
    """

    def __init__(self, peer: Peer, broker: Broker, address: Address, query: Consuming) -> None:
        super().__init__(peer, broker, address, query)
        self._leases = Leases(HELD_MAX)
        self._answering = Answering(broker, address, self._group)

    def _begin(self, turn: list[Message]) -> Awaitable[bytes]:
        data, text = turn[0]
        return self._answer(data) if text and data.startswith(b"{") else self._take()

    def _show(self, result: bytes) -> bytes:
        return result

    async def _take(self) -> bytes:
        if self._leases.full(self._broker.clock.now()):
            raise TooManyUnanswered(HELD_MAX)
        deliveries = await self._receive()
        self._leases.add(deliveries)
        return handed(self._one(deliveries))

    async def _answer(self, text: bytes) -> bytes:
        answer = decode(decode_answer, text)
        receipts = receipts_of(answer)
        outcome = await self._answering.do(answer, receipts)
        lost = {each.index for each in outcome.failed}
        for index, receipt in enumerate(receipts):
            if isinstance(answer, Extend) and index not in lost:
                self._leases.extend(receipt, self._broker.clock.now() + to_ms("lease", answer.lease))
            else:
                self._leases.drop(receipt)
        return told(outcome)

    async def close(self, rest: Sequence[Message]) -> None:
        await super().close(rest)
        await self._broker.give_back(self._address, self._group, self._leases.give_up())

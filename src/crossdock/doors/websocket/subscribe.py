"""/ws/subscribe: messages are pushed while the consumer has credit, which its answers return."""

import asyncio
from collections.abc import Awaitable, Sequence

from websockets.frames import CloseCode

from crossdock.broker.broker import Broker
from crossdock.core.errors import CrossdockError
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import Address
from crossdock.wire.json_api_bodies import decode
from crossdock.wire.ws import Answered, Credit, Subscribing, decode_subscriber, receipts_of

from .answering import ANSWER_BYTES_MAX, Answering, handed, lease_ms, told
from .errors import error_frame
from .messages import Message
from .session import Peer
from .turns import Turns


class Subscribe(Turns[bytes]):
    """A member of the group. Answers may come over this connection or any other way; its end returns the leases."""

    bytes_max = ANSWER_BYTES_MAX

    def __init__(self, peer: Peer, broker: Broker, address: Address, query: Subscribing) -> None:
        super().__init__(peer)
        self._answering = Answering(broker, address, query.group)
        lease = lease_ms(query.lease)
        self._member = broker.join(
            address, query.group, query.credit or 1, lease, query.consumer, default_lease=DEFAULT_LEASE_MS
        )
        self._member.prefetch = query.credit
        self._pushing = asyncio.create_task(self._push())
        self._pushing.add_done_callback(self._pushed_all)

    def _begin(self, turn: list[Message]) -> Awaitable[bytes]:
        return self._heard(turn[0][0])

    def _show(self, result: bytes) -> bytes:
        return result

    async def _heard(self, text: bytes) -> bytes:
        said = decode(decode_subscriber, text)
        if isinstance(said, Credit):
            self._member.prefetch = said.credit
            self._member.wake()
            return told(Answered("credit", []))
        return told(await self._answering.do(said, receipts_of(said)))

    async def _push(self) -> None:
        """Send what the member is given, until the broker hands out no more.

        One by one: of a client that does not read, few messages wait in our memory (F32).
        """
        while (delivery := self._member.poll() or await self._member.next()) is not None:
            self._peer.send(handed(delivery))
            self._peer.counters.pushed += 1
            await self._peer.drained()
            await asyncio.sleep(0)  # The others' turn, also where the store never suspends.

    def _pushed_all(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return  # by this connection's end, or the server's
        self._peer.send(error_frame(error, self._peer.counters))
        if isinstance(error, CrossdockError):
            self._peer.close(CloseCode.POLICY_VIOLATION, error.code)
        else:
            self._peer.close(CloseCode.INTERNAL_ERROR, "internal")

    async def close(self, rest: Sequence[Message]) -> None:
        await self.cancel()
        self._pushing.cancel()
        await asyncio.wait([self._pushing])
        await self._member.close()

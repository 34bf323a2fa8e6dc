"""/ws/publish: each message of the client is one to store."""

from collections.abc import Awaitable, Sequence

from crossdock.broker.broker import Broker
from crossdock.core.errors import CrossdockError, StoreUnavailable
from crossdock.core.limits import BATCH_MESSAGES_MAX, BODY_BYTES_MAX
from crossdock.core.model import Address, Plain, SendResult

from .errors import error_frame
from .frames import text_frame
from .messages import Message
from .session import Peer
from .turns import Turns

OK = text_frame(b"ok")


class Publish(Turns[SendResult | bytes]):
    """Stores what comes, in its order; each answer is `ok`, once the message is durable, or its own error.

    Messages that are there together are sent together. When the queue refuses the batch, each is tried alone.
    """

    bytes_max = BODY_BYTES_MAX
    turn_max = BATCH_MESSAGES_MAX

    def __init__(self, peer: Peer, broker: Broker, address: Address) -> None:
        super().__init__(peer)
        self._broker = broker
        self._address = address

    def _begin(self, turn: list[Message]) -> Awaitable[SendResult | bytes]:
        messages = [Plain(body) for body, _ in turn]
        if len(messages) == 1:
            return self._broker.send(self._address, messages)
        return self._together(messages)

    async def _together(self, messages: Sequence[Plain]) -> SendResult | bytes:
        try:
            return await self._broker.send(self._address, messages)
        except StoreUnavailable:
            raise  # Whether they are stored may be unknown.
        except CrossdockError:
            return b"".join([await self._alone(Plain(each.body)) for each in messages])

    async def _alone(self, message: Plain) -> bytes:
        try:
            return self._show(await self._broker.send(self._address, (message,)))
        except Exception as error:
            return error_frame(error, self._peer.counters)

    def _show(self, result: SendResult | bytes) -> bytes:
        return result if isinstance(result, bytes) else OK * len(result.ids)

    async def close(self, rest: Sequence[Message]) -> None:
        """Store the rest, too: who sends and leaves did send."""
        await self.finish()
        for start in range(0, len(rest), self.turn_max):
            self.received(list(rest[start : start + self.turn_max]))
            await self.finish()

"""The dead letters of a queue, reached through the queue they came from."""

from collections.abc import Awaitable

from crossdock.core.errors import MessageNotFound, QueueNotFound
from crossdock.core.model import Address
from crossdock.core.policy import dead_letter_name
from crossdock.wire.json_api_looking import DeadLetterFound, DeadLetters, Page, dead_letter
from crossdock.wire.json_api_queues import Counted, MessageIds

from .answer import Answer, encode
from .door import Door
from .looking import inserted_at
from .operation import QUEUE, Operation
from .request import Call

TAG = "dead letters"


class DeadLetterRoutes:
    """The routes below `/dlq`."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker

    def operations(self) -> list[Operation]:
        counted = {200: Counted}
        one = QUEUE + "/dlq/{message_id:segment}"
        return [
            Operation("POST", QUEUE + "/dlq/redrive", self.redrive, TAG, counted, request=MessageIds),
            Operation("POST", QUEUE + "/dlq/delete", self.delete, TAG, counted, request=MessageIds),
            Operation("GET", one, self.one, TAG, {200: DeadLetterFound}),
            Operation("GET", QUEUE + "/dlq", self.page, TAG, {200: DeadLetters}, query=Page),
        ]

    async def page(self, call: Call[Page]) -> Answer:
        """Show the dead letters of a queue, by id."""
        page = call.request
        address = await self._address(call.address)
        try:
            found = await self._broker.browse(
                address, limit=page.limit, after=page.cursor, descending=page.order == "desc"
            )
        except QueueNotFound:  # it is made when the first dead letter comes
            found = []
        letters = [dead_letter(each.message, inserted_at(each.message)) for each in found]
        return Answer(200, encode(DeadLetters("ok", letters)))

    async def one(self, call: Call[None]) -> Answer:
        """Show one dead letter."""
        address = await self._address(call.address)
        try:
            message = await self._broker.message(address, call.message_id)
        except QueueNotFound:
            raise MessageNotFound(call.message_id) from None
        return Answer(200, encode(DeadLetterFound("ok", dead_letter(message, inserted_at(message)))))

    async def redrive(self, call: Call[MessageIds]) -> Answer:
        """Move dead letters back to where they came from; all when none is named."""
        address = await self._address(call.address)
        return await _counted("redriven", self._broker.redrive(address, call.request.message_ids or None))

    async def delete(self, call: Call[MessageIds]) -> Answer:
        """Delete dead letters; all when none is named."""
        address = await self._address(call.address)
        return await _counted("deleted", self._broker.delete_messages(address, call.request.message_ids or None))

    async def _address(self, address: Address) -> Address:
        """Where the dead letters of a queue are. With dead-lettering off there is no such queue."""
        stats = await self._broker.stats(address)
        return (address[0], dead_letter_name(address[1], stats.settings))


async def _counted(status: str, step: Awaitable[int]) -> Answer:
    """Await what returns a count; a dead-letter queue that does not exist holds none."""
    try:
        count = await step
    except QueueNotFound:
        count = 0
    return Answer(200, encode(Counted(status, count)))

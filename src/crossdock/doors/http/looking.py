"""Peek, browse, one message by id: looks without effect."""

from datetime import UTC, datetime

from crossdock.core.model import Message
from crossdock.wire.json_api_looking import (
    Browse,
    Peek,
    PeekedMany,
    PeekedOne,
    PeekOptions,
    next_seen,
    preview,
    seen,
    stored,
)

from .answer import Answer, encode
from .door import Door
from .operation import API, QUEUE, Operation
from .receiving import NOTHING
from .request import Call

TAG = "looking"


class Looking:
    """The routes that show messages."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker

    def operations(self) -> list[Operation]:
        peeked = {200: PeekedOne | PeekedMany, 204: None}
        message = API + "/queues/{queue:segment}/messages/{message_id:segment}"
        return [
            Operation("POST", QUEUE + "/peek", self.peek, TAG, peeked, request=Peek, protected=False),
            Operation("POST", QUEUE + "/browse", self.browse, TAG, {200: PeekedMany}, request=Browse),
            Operation("GET", message, self.message, TAG, {200: PeekedOne}),
        ]

    async def peek(self, call: Call[Peek]) -> Answer:
        """Show the next message of a group; with `options`, a page of messages by id."""
        if call.request.options is not None:
            return await self._page(call, call.request.options)
        peeked = await self._broker.peek(call.address, call.request.group)
        return Answer(200, encode(PeekedOne("ok", next_seen(peeked[0])))) if peeked else NOTHING

    async def _page(self, call: Call[Peek], options: PeekOptions) -> Answer:
        found = await self._broker.browse(
            call.address, call.request.group, options.limit, options.cursor, options.order == "desc"
        )
        show = preview if options.preview else seen
        return Answer(200, encode(PeekedMany("ok", [show(each, inserted_at(each.message)) for each in found])))

    async def browse(self, call: Call[Browse]) -> Answer:
        """Show the messages that a group is not done with, in any state."""
        request = call.request
        if request.order == "delivery":
            found = await self._broker.peek(call.address, request.group, request.limit)
        else:
            found = await self._broker.browse(
                call.address, request.group, request.limit, request.cursor, request.order == "desc", request.state
            )
        return Answer(200, encode(PeekedMany("ok", [seen(each, inserted_at(each.message)) for each in found])))

    async def message(self, call: Call[None]) -> Answer:
        """Show one stored message."""
        message = await self._broker.message(call.address, call.message_id)
        return Answer(200, encode(PeekedOne("ok", stored(message, inserted_at(message)))))


def inserted_at(message: Message) -> str:
    """When a message was accepted, as RFC 3339 text."""
    moment = datetime.fromtimestamp(message.enqueued_at / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

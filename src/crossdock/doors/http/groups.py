"""Consumer groups: create and delete. A group also comes to be with its first dequeue."""

from crossdock.wire.json_api import Status
from crossdock.wire.json_api_queues import GroupName, GroupNotFound

from .answer import Answer, created, done
from .door import Door
from .operation import QUEUE, Operation
from .request import Call

TAG = "groups"


class Groups:
    """The routes below `/groups`."""

    def __init__(self, door: Door) -> None:
        self._broker = door.broker

    def operations(self) -> list[Operation]:
        return [
            Operation("POST", QUEUE + "/groups/create", self.create, TAG, {201: Status}, request=GroupName),
            Operation("POST", QUEUE + "/groups/delete", self.delete, TAG, {200: Status}, request=GroupName),
        ]

    async def create(self, call: Call[GroupName]) -> Answer:
        """Create a group.

        It gets every message the queue still stores, of a topic those sent from now on. One that exists stays as it
        is; the header `X-Created` of the answer tells.
        """
        return created(await self._broker.create_group(call.address, call.request.group))

    async def delete(self, call: Call[GroupName]) -> Answer:
        """Delete a group. Messages that no other group waits for are gone."""
        if not await self._broker.delete_group(call.address, call.request.group):
            raise GroupNotFound(f"group {call.request.group!r} does not exist")
        return done("deleted")

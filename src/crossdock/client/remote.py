"""What the transports to a server have in common, whatever the protocol."""

from collections.abc import Sequence
from typing import ClassVar

from crossdock.core.errors import InvalidArgument, QueueClosed
from crossdock.core.model import DEFAULT_NAMESPACE, Address, Message, SendResult, Settings
from crossdock.core.policy import check_queue

from .polls import Polls
from .remote_member import RemoteMember
from .remote_members import RemoteMembers


class RemoteTransport:
    """Its members and its long polls, and how they end. A door serves one namespace: `default` is the only one here."""

    _protocol: ClassVar[str]
    """What callers know it by."""

    def __init__(self) -> None:
        self._members = RemoteMembers()
        self._polls = Polls()

    async def close(self, grace: int = 0) -> None:
        """Take no new work and end every wait. Members have up to `grace` ms to answer what they were given."""
        self._polls.close()
        await self._members.close(grace)
        await self._disconnect()

    async def _disconnect(self) -> None:
        """Close what leads to the server."""
        raise NotImplementedError

    async def send_within(
        self, connection: object, address: Address, messages: Sequence[Message], settings: Settings | None = None
    ) -> SendResult:
        raise InvalidArgument("connection", connection, "needs a store in this process, not a server")

    def _check_open(self) -> None:
        if self._polls.closed:
            raise QueueClosed("the connection is closing")

    def _keep(self, member: RemoteMember) -> RemoteMember:
        self._check_open()
        self._members.add(member)
        return member

    def _check_namespace(self, namespace: str) -> None:
        if namespace != DEFAULT_NAMESPACE:
            raise InvalidArgument("namespace", namespace, f"must be {DEFAULT_NAMESPACE!r} over {self._protocol}")

    def _queue(self, address: Address) -> str:
        """The name of a queue, checked."""
        self._check_namespace(address[0])
        return check_queue(address[1])

"""The verbs of a broker elsewhere, through its WebSocket door."""

from functools import partial

from crossdock.broker import AsyncRuntime
from crossdock.core.limits import CREDIT_MAX, check_range
from crossdock.core.model import Address

from .http import HttpTransport
from .pushed_member import PushedMember
from .remote_member import RemoteMember
from .ws_connection import WsConnection
from .ws_feed import WsFeed


class WsTransport(HttpTransport):
    """See `client.transport.Transport`: the JSON API over one connection, and another for each member of a group.

    A call that finds the connection lost opens it again; one that loses it under way raises StoreUnavailable, its
    outcome unknown. Members are pushed to, and go on with a new connection for as long as it takes to get one.
    """

    _connection_to = WsConnection
    _http: WsConnection

    async def open(self) -> "WsTransport":
        self._runtime = AsyncRuntime()
        await super().open()
        return self

    def join(
        self, address: Address, group: str, prefetch: int, lease: int = 0, consumer: str = "", auto_ack: bool = False
    ) -> RemoteMember:
        """See PushedMember."""
        self._check_namespace(address[0])
        check_range("prefetch", prefetch, 1, CREDIT_MAX)
        query = {"queue": address[1], "group": group, "credit": str(prefetch)}
        query |= {"lease": f"{lease}ms"} if lease else {}
        query |= {"consumer": consumer} if consumer else {}
        member = PushedMember(prefetch, auto_ack, partial(self.ack, address, group), self._members.discard)
        member.feed = WsFeed(self._http, query, self._runtime.random, member.arrived, member.lost)
        return self._keep(member)

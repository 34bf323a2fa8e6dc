"""Verbs that manage queues and look into them."""

from collections.abc import Sequence

from crossdock.core.clock import Clock
from crossdock.core.errors import InvalidArgument, QueueClosed
from crossdock.core.limits import ID_MAX, PEEK_MESSAGES_MAX, check_name, check_range
from crossdock.core.model import DEFAULT_GROUP, Address, Message, Peeked, QueueStats, Settings, State
from crossdock.storage.base import Store

from . import checks
from .access import LOCAL, Permission, Principal, check_access
from .waiting import WaitingRoom


class Admin:
    """The part of the broker that is not on the path of a message."""

    store: Store
    clock: Clock
    room: WaitingRoom
    closed = False
    """Whether the store is closed, or about to be."""

    def _allow(self, who: Principal, address: Address, permission: Permission) -> int:
        """Check access; returns the time of the call. Raises QueueClosed once the broker is closed."""
        if self.closed:
            raise QueueClosed("the connection is closed")
        check_access(who, address[0], address[1], permission)
        return self.clock.now()

    async def create_queue(self, address: Address, settings: Settings | None = None, who: Principal = LOCAL) -> bool:
        """Create a queue; False when it exists (then nothing changes). Raises InvalidArgument."""
        now = self._allow(who, address, "manage")
        check_name("namespace", address[0])
        check_name("queue", address[1])
        settings = settings or Settings()
        checks.check_settings(settings)
        return await self.store.create_queue(address, settings, now)

    async def update_queue(self, address: Address, settings: Settings, who: Principal = LOCAL) -> None:
        """Replace the settings of a queue. Raises InvalidArgument, QueueNotFound."""
        now = self._allow(who, address, "manage")
        checks.check_settings(settings)
        await self.store.update_queue(address, settings, now)

    async def delete_queue(self, address: Address, who: Principal = LOCAL) -> None:
        """Delete a queue with everything in it; waiting receives of it end with QueueNotFound."""
        now = self._allow(who, address, "manage")
        await self.store.delete_queue(address, now)
        self.room.wake(address, checks.COUNT_MAX)

    async def queues(self, namespace: str, who: Principal = LOCAL) -> list[str]:
        """Names of the queues of a namespace, in order."""
        self._allow(who, (namespace, "*"), "read")
        return [address[1] for address in await self.store.queues(namespace)]

    async def stats(self, address: Address, who: Principal = LOCAL) -> QueueStats:
        """The queue as it stands."""
        return await self.store.stats(address, self._allow(who, address, "read"))

    async def create_group(self, address: Address, group: str, who: Principal = LOCAL) -> bool:
        """Create a group; False when it exists."""
        now = self._allow(who, address, "receive")
        return await self.store.create_group(address, check_name("group", group), now)

    async def delete_group(self, address: Address, group: str, who: Principal = LOCAL) -> bool:
        """Delete a group; False when there is none."""
        now = self._allow(who, address, "manage")
        return await self.store.delete_group(address, group, now)

    async def peek(
        self, address: Address, group: str = DEFAULT_GROUP, limit: int = 1, who: Principal = LOCAL
    ) -> list[Peeked]:
        """The next messages the group would get, without effect."""
        now = self._allow(who, address, "read")
        check_range("limit", limit, 1, PEEK_MESSAGES_MAX)
        return await self.store.peek(address, check_name("group", group), limit, now)

    async def browse(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 100,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
        who: Principal = LOCAL,
    ) -> list[Peeked]:
        """Messages the group is not done with, by id, above `after` (below, when descending)."""
        now = self._allow(who, address, "read")
        check_range("limit", limit, 1, PEEK_MESSAGES_MAX)
        check_range("after", after, 0, ID_MAX)
        if state not in (None, "delayed", "ready", "leased"):
            raise InvalidArgument("state", state, "must be delayed, ready or leased")
        return await self.store.browse(address, check_name("group", group), limit, now, after, descending, state)

    async def message(self, address: Address, message_id: int, who: Principal = LOCAL) -> Message:
        """One stored message. Raises MessageNotFound."""
        now = self._allow(who, address, "read")
        return await self.store.message(address, check_range("message_id", message_id, 1, ID_MAX), now)

    async def delete_messages(self, address: Address, ids: Sequence[int] | None = None, who: Principal = LOCAL) -> int:
        """Delete messages for every group, or purge the queue when `ids` is None. Returns how many."""
        now = self._allow(who, address, "manage")
        if ids is not None:
            checks.check_ids(ids)
        return await self.store.delete_messages(address, ids, now)

    async def redrive(self, address: Address, ids: Sequence[int] | None = None, who: Principal = LOCAL) -> int:
        """Move dead letters of this queue back to where they came from. Returns how many."""
        now = self._allow(who, address, "manage")
        if ids is not None:
            checks.check_ids(ids)
        return await self.store.redrive(address, ids, now)

"""What a Queue object speaks to: a broker in this process, or a server elsewhere through its door."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from crossdock.core.errors import Failures
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import (
    DEFAULT_GROUP,
    Address,
    Delivery,
    Message,
    Peeked,
    QueueStats,
    Receipt,
    SendResult,
    Settings,
    State,
)


class Member(Protocol):
    """A member of a group, see `crossdock.broker.member.Member`."""

    def poll(self) -> Delivery | None: ...

    async def next(self) -> Delivery | None: ...

    async def close(self) -> None: ...


class Transport(Protocol):
    """The broker's verbs as a client sees them. `crossdock.broker.Broker` is one; all times are ms."""

    async def close(self, grace: int = 0) -> None: ...

    def send(self, address: Address, messages: Sequence[Message]) -> Awaitable[SendResult]: ...

    def send_within(
        self, connection: object, address: Address, messages: Sequence[Message], settings: Settings | None = None
    ) -> Awaitable[SendResult]:
        """Done in the calling thread when it is awaited or driven: it suspends only where `connection` does."""
        ...

    def receive(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 1,
        lease: int = 0,
        wait: int = 0,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> Awaitable[list[Delivery]]: ...

    def join(
        self, address: Address, group: str, prefetch: int, lease: int = 0, consumer: str = "", auto_ack: bool = False
    ) -> Member: ...

    def ack(self, address: Address, group: str, receipts: Sequence[Receipt]) -> Awaitable[Failures]: ...

    def nack(
        self, address: Address, group: str, receipts: Sequence[Receipt], delay: int | None = None, error: str = ""
    ) -> Awaitable[Failures]: ...

    def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], error: str = ""
    ) -> Awaitable[Failures]: ...

    def extend(self, address: Address, group: str, receipts: Sequence[Receipt], lease: int) -> Awaitable[Failures]: ...

    async def create_queue(self, address: Address, settings: Settings | None = None) -> bool: ...

    async def update_queue(self, address: Address, settings: Settings) -> None: ...

    async def delete_queue(self, address: Address) -> None: ...

    async def queues(self, namespace: str) -> list[str]: ...

    async def stats(self, address: Address) -> QueueStats: ...

    async def create_group(self, address: Address, group: str) -> bool: ...

    async def delete_group(self, address: Address, group: str) -> bool: ...

    async def peek(self, address: Address, group: str = DEFAULT_GROUP, limit: int = 1) -> list[Peeked]: ...

    async def browse(
        self,
        address: Address,
        group: str = DEFAULT_GROUP,
        limit: int = 100,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]: ...

    async def message(self, address: Address, message_id: int) -> Message: ...

    async def delete_messages(self, address: Address, ids: Sequence[int] | None = None) -> int: ...

    async def redrive(self, address: Address, ids: Sequence[int] | None = None) -> int: ...

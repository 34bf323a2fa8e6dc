"""The seam between the broker and what keeps the state: domain verbs, each atomic, each given `now`.

A store is done when `crossdock.testing.contract` passes on it unedited. Reads see every write answered before.
Arguments were checked by the broker (`core.limits`). Every verb that names a queue raises QueueNotFound when there is
none, and any verb raises StoreUnavailable when the store cannot answer; then nothing of it was kept.
Every verb first does what is due at `now` (as `tick` would), so that no answer depends on when a sweeper last ran.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from crossdock.core.errors import Failures
from crossdock.core.limits import DEFAULT_LEASE_MS
from crossdock.core.model import (
    Address,
    Delivery,
    Message,
    Peeked,
    QueueStats,
    Receipt,
    SendResult,
    Settings,
    State,
    Tick,
)

Level = Literal["memory", "relaxed", "local", "stored", "replicated"]
"""Publish level: what a success reply means. See docs/guarantees.md."""

Changed = Callable[[Address | None, int], None]


class Abilities(Struct, frozen=True):
    """How stores differ where they may."""

    level: Level
    """The strongest publish level the store gives, and the one in force."""
    shared: bool
    """Whether other processes may change the same state."""
    suspends: bool
    """Whether a verb may suspend its caller. Where not, verbs return `Done` or run right to their end."""


class Store(Protocol):
    """What keeps queues. All times are ms; see `core.model`."""

    @property
    def abilities(self) -> Abilities: ...

    async def open(self, now: int) -> None:
        """Make the store usable. Raises StoreUnavailable with a sentence an operator can act on."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and let go of every resource. A second call does nothing."""
        ...

    def watch(self, changed: Changed | None) -> None:
        """Have `changed` called after every change, from any thread; it must be quick. None stops it.

        `changed(address, count)`: a send stored `count` messages, or (count 0) another verb than a reading one
        changed the queue. `changed(None, 0)`: another process committed something at most 100 ms ago.
        """
        ...

    # Queues and groups

    async def create_queue(self, address: Address, settings: Settings, now: int) -> bool:
        """Create a queue. False, and no change, when it exists.

        Raises InvalidArgument for a dead-letter cycle or, when it exists, for another kind.
        """
        ...

    async def update_queue(self, address: Address, settings: Settings, now: int) -> None:
        """Replace the settings. Raises InvalidArgument for a change of kind or a dead-letter cycle."""
        ...

    async def delete_queue(self, address: Address, now: int) -> None:
        """Delete the queue with its messages, groups and dedup ids. Receipts of it are void for ever."""
        ...

    async def queues(self, namespace: str | None) -> list[Address]:
        """Addresses in order of name; of every namespace when None."""
        ...

    async def stats(self, address: Address, now: int) -> QueueStats: ...

    async def create_group(self, address: Address, group: str, now: int) -> bool:
        """Create a group; False when it exists. In a queue (not a topic) it starts with every stored message."""
        ...

    async def delete_group(self, address: Address, group: str, now: int) -> bool:
        """Delete a group with its leases; False when there is none. Messages no group waits for any more are gone."""
        ...

    # Messages

    def send(self, address: Address, messages: Sequence[Message], now: int) -> Awaitable[SendResult]:
        """Accept all messages or none, in order. Takes the Message objects over: it fills in their second part.

        Raises QueueFull, DedupConflict, or MessageExpired (expires_at not after deliver_at).
        Dedup: an id seen within the window before, or earlier in the batch, makes a duplicate, which is not stored.
        """
        ...

    def receive(
        self,
        address: Address,
        group: str,
        limit: int,
        lease: int,
        now: int,
        consumer: str = "",
        auto_ack: bool = False,
        default_lease: int = DEFAULT_LEASE_MS,
    ) -> Awaitable[list[Delivery]]:
        """Hand out up to `limit` messages in order of (priority, deliver_at, id) and lease them.

        The lease is `lease` ms; when that is 0 the queue's setting, the store's default setting, or `default_lease`.
        Creates the group on first use. With `auto_ack` the removal is durable before the hand-out (at most once).
        A paused queue hands out nothing.
        """
        ...

    def ack(self, address: Address, group: str, receipts: Sequence[Receipt], now: int) -> Awaitable[Failures]: ...

    def nack(
        self,
        address: Address,
        group: str,
        receipts: Sequence[Receipt],
        now: int,
        jitter: float,
        delay: int | None = None,
        error: str = "",
    ) -> Awaitable[Failures]:
        """Give messages back for a later try: after `delay`, or after the queue's backoff when None.

        `jitter` in [0, 1) is the caller's random number. A message that used its attempts is dead-lettered.
        """
        ...

    def reject(
        self, address: Address, group: str, receipts: Sequence[Receipt], now: int, error: str = ""
    ) -> Awaitable[Failures]:
        """Dead-letter now."""
        ...

    def extend(
        self, address: Address, group: str, receipts: Sequence[Receipt], lease: int, now: int
    ) -> Awaitable[Failures]:
        """Let the leases end `lease` ms from now. The receipts stay the same."""
        ...

    async def peek(self, address: Address, group: str, limit: int, now: int) -> list[Peeked]:
        """The next messages the group would get, in delivery order. Creates no group."""
        ...

    async def browse(
        self,
        address: Address,
        group: str,
        limit: int,
        now: int,
        after: int = 0,
        descending: bool = False,
        state: State | None = None,
    ) -> list[Peeked]:
        """Messages the group is not done with, by id: those above `after` (below, when descending and not 0)."""
        ...

    async def message(self, address: Address, message_id: int, now: int) -> Message:
        """One stored message. Raises MessageNotFound."""
        ...

    async def delete_messages(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        """Delete messages for every group, leased ones too; all of them when `ids` is None. Returns how many."""
        ...

    async def redrive(self, address: Address, ids: Sequence[int] | None, now: int) -> int:
        """Move dead letters back to the queue and group each came from; all when `ids` is None. Returns how many.

        The id is kept, attempts begin at 0, dead-letter headers go. A message whose origin does not exist or is
        full stays. Where the origin group is gone the message is for every group of the queue.
        """
        ...

    async def tick(self, now: int) -> Tick:
        """Do what is due: delays, leases, time to live, dedup windows. See `core.model.Tick`."""
        ...


@runtime_checkable
class JoinsTransactions(Protocol):
    """A store in a database where callers keep tables too: a send can be part of a caller's transaction."""

    def send_within(
        self, connection: object, address: Address, messages: Sequence[Message], now: int, settings: Settings | None
    ) -> Awaitable[SendResult]:
        """Send as `Store.send` does, inside the transaction that is open on `connection`, which the caller ends.

        Creates the queue, in the transaction as well, when there is none and `settings` are given.
        `connection` is used in the calling thread alone. Raises InvalidArgument when it cannot be used. A refused
        send changes nothing of the transaction, which can go on, unless StoreUnavailable says that it was rolled back.
        """
        ...

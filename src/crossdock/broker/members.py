"""The subscribed members of all groups of one broker."""

import threading
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from crossdock.core.errors import Failures
from crossdock.core.model import Address, Done, Receipt

from .holding import NEVER
from .member import Member
from .rotation import Rotation
from .runtime import Waiter

if TYPE_CHECKING:
    from .broker import Broker


class Members:
    """Finds the rotation of a group, which exists while it has members."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self.rotations: dict[tuple[Address, str], Rotation] = {}
        self._answer: Waiter | None = None
        """Who waits for the next answer."""

    def join(
        self,
        address: Address,
        group: str,
        prefetch: int,
        auto_ack: bool,
        lease: int,
        consumer: str,
        default_lease: int,
    ) -> Member:
        """A new member of a group."""
        with self._lock:
            rotation = self.rotations.get((address, group))
            if rotation is None:
                rotation = self.rotations[address, group] = Rotation(self._broker, address, group)
            member = Member(rotation, prefetch, auto_ack, lease, consumer, default_lease)
            rotation.add(member)
            return member

    def forget(self, rotation: Rotation) -> None:
        """A member left: nothing is kept for a group without any."""
        with self._lock:
            if rotation.empty:
                self.rotations.pop((rotation.address, rotation.group), None)

    def answer(
        self, address: Address, group: str, receipts: Sequence[Receipt], step: Awaitable[Failures]
    ) -> Awaitable[Failures]:
        """Do `step`, which answers receipts. Those that hold them may be given others then, whatever comes of it."""
        if isinstance(step, Done):
            self._answered(address, group, receipts)
            return step
        return self._answer_later(address, group, receipts, step)

    async def _answer_later(
        self, address: Address, group: str, receipts: Sequence[Receipt], step: Awaitable[Failures]
    ) -> Failures:
        try:
            return await step
        finally:
            self._answered(address, group, receipts)

    def _answered(self, address: Address, group: str, receipts: Sequence[Receipt]) -> None:
        rotation = self.rotations.get((address, group))
        if rotation is not None:
            rotation.answered(receipts)
        if self._answer is not None:
            self._answer.wake()

    async def extend(
        self, address: Address, group: str, receipts: Sequence[Receipt], lease_until: int, step: Awaitable[Failures]
    ) -> Failures:
        """Await `step`, which lets leases end at `lease_until`."""
        failures = await step
        rotation = self.rotations.get((address, group))
        if rotation is not None:
            rotation.extended([r for index, r in enumerate(receipts) if index not in failures], lease_until)
        return failures

    async def drain(self, grace: int) -> None:
        """End every wait; then, `grace` ms at most, wait for the answers to what consumers have."""
        for rotation in list(self.rotations.values()):
            rotation.end()
        if not grace:
            return
        for rotation in list(self.rotations.values()):
            await self._broker.give_back(rotation.address, rotation.group, rotation.give_up_waiting())
        clock = self._broker.clock
        deadline = clock.now() + grace
        while True:
            self._answer = waiter = self._broker.runtime.waiter()
            first_end = min((rotation.next_end() for rotation in list(self.rotations.values())), default=NEVER)
            if first_end == NEVER or clock.now() >= deadline:
                return
            cancel = clock.alarm(min(deadline, first_end), waiter.wake)
            try:
                await waiter
            finally:
                cancel()

    async def close(self) -> None:
        """Close every member."""
        for rotation in list(self.rotations.values()):
            for member in rotation.members():
                await member.close()

"""The subscribed members of one group: messages go round among those that have room, one by one.

Nobody works for the members but they themselves: of those that ask for a message one pulls. It takes what is ready for
each member in turn, and waits in the line of its group, as a long poll does, when nothing is. Whoever gets a message by
it wakes up; when it has its own, it leaves the pulling to the next who asks.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from crossdock.core.errors import QueueClosed
from crossdock.core.limits import WAIT_MS_MAX
from crossdock.core.model import Address, Delivery, Receipt

from .holding import NEVER, Holders
from .member import Member
from .runtime import Waiter
from .waiting import Place

if TYPE_CHECKING:
    from .broker import Broker

WIDTH_MAX = 64
"""Most messages asked for at once, one each for members in turn. They share a transaction where the store has them."""

Share = tuple[Member, int]
"""A member, and how many of the next messages it is to get."""


class Rotation:
    """The members of one group of a queue, in order of their turns. Its lock guards their holdings too."""

    def __init__(self, broker: "Broker", address: Address, group: str) -> None:
        self._broker = broker
        self._suspends = broker.store.abilities.suspends
        self.now = broker.clock.now
        self.address = address
        self.group = group
        self.holders: Holders = {}
        self.lock = threading.Lock()
        self._members: deque[Member] = deque()
        """Who is next comes first."""
        self._asking: dict[Member, None] = {}
        """Those that sleep until they get a message, or are to pull."""
        self._puller: Member | None = None
        self._place: Place | None = None
        """The puller's place in the line."""
        self._turning = False
        """Whether messages are being taken: the turn of a puller that was cancelled goes on to its end."""
        self._width = 1
        """Messages to ask for in the next turn: twice as many after each that found enough."""
        self._served: Member | None = None
        """Who got the last message."""

    @property
    def empty(self) -> bool:
        return not self._members

    def add(self, member: Member) -> None:
        """Let a member in, behind the others."""
        with self.lock:
            self._members.append(member)

    # What members do

    async def next(self, member: Member) -> Delivery | None:
        """See Member."""
        try:
            while True:
                with self.lock:
                    member.active = True
                    now = self.now()
                    delivery = member.pop(now)
                    if delivery is not None or member.closed or self._broker.room.closed:
                        return delivery
                    waiter, until = self._role(member, now)
                if waiter is None:
                    await self._pull()
                else:
                    await self._sleep(waiter, until)
        finally:
            with self.lock:
                self._step_back(member)

    def _role(self, member: Member, now: int) -> tuple[Waiter | None, int]:
        """None for the one that is to pull; for others what to sleep on, and until when at most."""
        room = member.room(now)
        if room and not self._turning and self._puller in (None, member):
            self._puller = member
            self._asking.pop(member, None)
            return None, NEVER
        member.woken = False
        member.waiter = self._broker.runtime.waiter()
        self._asking[member] = None
        return member.waiter, NEVER if room else member.next_end(now)

    async def _sleep(self, waiter: Waiter, until: int) -> None:
        cancel = self._broker.clock.alarm(until, waiter.wake) if until != NEVER else None
        try:
            await waiter
        finally:
            if cancel is not None:
                cancel()

    def _step_back(self, member: Member) -> None:
        """The member asks no more, for now."""
        member.waiter = None
        self._asking.pop(member, None)
        if member.auto_ack:
            member.active = False
        if self._puller is member:
            self._puller = None
        if self._asking:
            self._appoint()

    def _appoint(self) -> None:
        """See that somebody pulls, if somebody asks who has room."""
        if self._puller is not None or self._turning:
            return
        now = self.now()
        for member in self._asking:
            if member.room(now):
                if not member.woken:
                    member.wake()
                return

    async def close(self, member: Member) -> None:
        """See Member."""
        with self.lock:
            if member.closed:
                return
            member.closed = True
            self._members.remove(member)
            held = member.give_up("all")
            member.wake()
            if self._puller is member and self._place is not None:
                self._broker.room.end(self._place)
        try:
            await self._broker.give_back(self.address, self.group, held)
        finally:
            self._broker.members.forget(self)  # Not before: a closing broker waits for the answers to what is held.

    # Pulling

    async def _pull(self) -> None:
        """Take messages for the members; returns when there were some, for whichever of them."""
        room = self._broker.room
        try:
            await room.poll(self.address, self.group, 1, WAIT_MS_MAX, self._turn, self._joined)
        except QueueClosed:
            if not room.closed:
                raise

    def _joined(self, place: Place) -> None:
        with self.lock:
            self._place = place
            if self._puller is None or self._puller.closed:
                self._broker.room.end(place)

    def _turn(self) -> Awaitable[list[Delivery]]:
        """Hand out what is ready, a share each; returns it, whoever it is for."""
        with self.lock:
            shares = self._deal()
            self._turning = True
        step = self._take(shares)
        return self._broker.runtime.finish(step, _handed_out) if self._suspends else step

    def _deal(self) -> list[Share]:
        """Who is to get the next messages, in order."""
        now = self.now()
        rooms = deque((member, room) for member in self._members if (room := member.room(now)))
        if len(rooms) == 1:
            return [rooms[0]]
        shares: list[Share] = []
        while rooms and len(shares) < self._width:
            member, room = rooms.popleft()
            shares.append((member, 1))
            if room > 1:
                rooms.append((member, room - 1))
        return shares

    async def _take(self, shares: Sequence[Share]) -> list[Delivery]:
        wanted = sum(count for _, count in shares)
        taken: list[Delivery] = []
        try:
            if self._suspends:
                outcomes = await asyncio.gather(*(self._give(*share) for share in shares), return_exceptions=True)
                taken += [delivery for got in outcomes if not isinstance(got, BaseException) for delivery in got]
                failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
                if failures and not taken:  # else the next turn will tell
                    raise failures[0]
            else:
                for member, count in shares:
                    got = await self._give(member, count)
                    taken += got
                    if len(got) < count:
                        break
        finally:
            self._end_turn(enough=len(taken) == wanted)
        return taken

    async def _give(self, member: Member, count: int) -> list[Delivery]:
        """Take up to `count` messages for a member, and let it have them."""
        deliveries = await self._broker.hand_out(self.address, self.group, member, count)
        with self.lock:
            closed = member.closed or self._broker.room.closed
            if deliveries and not closed:
                member.add(deliveries)
                member.wake()
                self._served = member
        if closed and not member.auto_ack:
            await self._broker.give_back(self.address, self.group, deliveries)
        return deliveries

    def _end_turn(self, enough: bool) -> None:
        with self.lock:
            self._turning = False
            self._width = min(2 * self._width, WIDTH_MAX) if enough else 1
            if self._served in self._members:
                while self._members[-1] is not self._served:
                    self._members.rotate(-1)
            self._served = None
            if self._asking:
                self._appoint()

    # What the broker tells of

    def answered(self, receipts: Sequence[Receipt]) -> None:
        """Somebody answered these receipts, whatever came of it."""
        with self.lock:
            for receipt in receipts:
                key = (receipt.id, receipt.epoch)
                holder = self.holders.get(key)
                if holder is not None:
                    holder.drop(key)
            if self._asking:
                self._appoint()

    def extended(self, receipts: Sequence[Receipt], lease_until: int) -> None:
        """The leases of these receipts end then."""
        with self.lock:
            for receipt in receipts:
                key = (receipt.id, receipt.epoch)
                holder = self.holders.get(key)
                if holder is not None:
                    holder.extend(key, lease_until)

    def end(self) -> None:
        """The room is closed: nothing more is handed out, and nobody sleeps any longer."""
        with self.lock:
            for member in self._asking:
                member.wake()

    def give_up_waiting(self) -> list[Delivery]:
        """Let go of what no consumer has seen; returns what has a lease."""
        with self.lock:
            return [delivery for member in self._members for delivery in member.give_up("waiting")]

    def next_end(self) -> int:
        """When the first lease of an unanswered delivery ends; NEVER without one."""
        now = self.now()
        with self.lock:
            return min((member.next_end(now) for member in self._members), default=NEVER)

    def members(self) -> list[Member]:
        with self.lock:
            return list(self._members)


async def _handed_out(deliveries: list[Delivery]) -> None:
    """Nothing is left to do for a puller that was cancelled: the messages are with their members."""

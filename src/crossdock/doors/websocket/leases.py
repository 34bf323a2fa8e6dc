"""The leases that end with a connection."""

from collections.abc import Iterable

from crossdock.core.model import Delivery, Message, Receipt

_NO_MESSAGE = Message(b"")


class Leases:
    """What one connection was handed and has not answered. Bodies are not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[tuple[int, int], Delivery] = {}

    def full(self, now: int) -> bool:
        """Whether there is no room for another, those apart whose time is over."""
        if len(self._held) >= self._most:
            self._held = {key: lease for key, lease in self._held.items() if lease.lease_until > now}
        return len(self._held) >= self._most

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """These were handed out."""
        for each in deliveries:
            lease = Delivery(each.id, each.epoch, each.generation, _NO_MESSAGE, each.attempt, each.lease_until)
            self._held[each.id, each.epoch] = lease

    def drop(self, receipt: Receipt) -> None:
        """This one is over."""
        self._held.pop((receipt.id, receipt.epoch), None)

    def extend(self, receipt: Receipt, lease_until: int) -> None:
        """This one ends at another time."""
        lease = self._held.get((receipt.id, receipt.epoch))
        if lease is not None:
            lease.lease_until = lease_until

    def give_up(self) -> list[Delivery]:
        """Let go of all that are left."""
        held, self._held = self._held, {}
        return list(held.values())

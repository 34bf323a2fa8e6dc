"""The leases under a group: each ends in time, whatever the order of hand-out, and the dead do not pile up."""

from crossdock.core.engine.leases import Leases
from crossdock.core.engine.timeline import NEVER
from crossdock.core.model import Delivery, Message


class Told:
    """Leases, and which of them were told to be over."""

    def __init__(self) -> None:
        self.over: list[int] = []
        self.leases = Leases(self._end, ("", "", 0, ""))

    def _end(self, over: list[Delivery], now: int) -> None:
        for lease in over:
            assert lease.lease_until <= now
            del self.leases.held[lease.id]
        self.over += sorted(lease.id for lease in over)

    def add(self, until: int, *ids: int) -> None:
        taken = [lease(message_id, until) for message_id in ids]
        for each in taken:
            self.leases.held[each.id] = each
        self.leases.added(taken, until)


def lease(message_id: int, until: int) -> Delivery:
    return Delivery(message_id, 1, 1, Message(b""), 1, until)


def test_equal_leases_end_in_order_of_hand_out() -> None:
    told = Told()
    told.add(10, 1, 2)
    told.add(20, 3)
    assert told.leases.next_due() == 10
    told.leases.fire(9)
    assert told.over == []
    told.leases.fire(10)
    assert told.over == [1, 2]
    assert told.leases.next_due() == 20


def test_a_shorter_lease_ends_before_an_older_one() -> None:
    told = Told()
    told.add(100, 1)
    told.add(50, 2, 3)
    told.add(120, 4)
    assert told.leases.next_due() == 50
    told.leases.fire(60)
    assert told.over == [2, 3]
    told.leases.fire(110)
    assert told.over == [2, 3, 1]
    assert told.leases.next_due() == 120


def test_a_short_lease_behind_an_answered_long_one_ends_in_time() -> None:
    told = Told()
    told.add(100, 1)
    told.add(50, 2)
    del told.leases.held[1]
    told.add(110, 3)
    told.leases.fire(50)
    assert told.over == [2]


def test_replacing_moves_the_end_either_way() -> None:
    told = Told()
    told.add(10, 1)
    told.add(10, 2)
    told.leases.replace(lease(1, 30))
    told.leases.replace(lease(2, 5))
    told.leases.fire(10)
    assert told.over == [2]
    told.leases.fire(30)
    assert told.over == [2, 1]
    assert told.leases.next_due() == NEVER


def test_leases_replaced_again_and_again_do_not_pile_up() -> None:
    told = Told()
    told.add(1_000_000, 1, 2)
    for until in range(1000, 0, -1):
        told.leases.replace(lease(2, until))
    assert len(told.leases._early) < 100
    told.leases.fire(1)
    assert told.over == [2]

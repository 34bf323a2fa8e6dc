"""Leases, receipts and the epoch that fences them."""

import pytest

from crossdock.core.errors import LeaseLost, MessageNotFound
from crossdock.core.model import Receipt
from crossdock.testing.driver import START, Driver, address, bodies, ids

from .base import Contract


class LeasesContract(Contract):
    def test_a_leased_message_is_its_consumers_alone(self, store: Driver) -> None:
        store.create()
        store.send("a")
        delivery = store.take(lease=100)
        assert (delivery.lease_until, delivery.attempt) == (START + 100, 1)
        store.later(99)
        assert store.receive() == []

    def test_a_lease_of_0_asks_the_settings(self, store: Driver) -> None:
        store.create(lease=70)
        store.create("without")
        store.send("a")
        store.send("a", queue="without")
        assert store.receive(lease=0, default_lease=500)[0].lease_until == START + 70
        assert store.receive(lease=0, default_lease=500, queue="without")[0].lease_until == START + 500

    def test_a_lease_is_over_at_its_last_millisecond(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.take(lease=100)
        store.later(100)
        assert store.take().attempt == 2

    def test_a_receipt_is_stale_from_the_end_of_the_lease_whoever_asks_first(self, store: Driver) -> None:
        store.create()
        store.send("a")
        delivery = store.take(lease=100)
        store.later(100)
        assert store.ack(delivery) == {0: "lease_lost"}
        assert bodies(store.receive()) == ["a"]

    def test_a_receipt_holds_to_the_end_of_the_lease(self, store: Driver) -> None:
        store.create()
        store.send("a")
        delivery = store.take(lease=100)
        store.later(99)
        assert store.ack(delivery) == {}

    def test_a_stale_receipt_changes_nothing_for_the_new_holder(self, store: Driver) -> None:
        """F1: the consumer that came too late cannot settle, return or lengthen another's delivery."""
        store.create()
        store.send("a")
        old = store.take(lease=100)
        store.later(100)
        new = store.take(lease=100)
        assert store.ack(old) == {0: "lease_lost"}
        assert store.nack(old, delay=0) == {0: "lease_lost"}
        assert store.reject(old) == {0: "lease_lost"}
        assert store.extend(old, lease=10_000) == {0: "lease_lost"}
        [seen] = store.browse()
        assert (seen.state, seen.due, seen.attempts) == ("leased", new.lease_until, 2)
        assert store.ack(new) == {}

    def test_a_nacked_receipt_is_stale(self, store: Driver) -> None:
        """F1."""
        store.create()
        store.send("a")
        old = store.take()
        store.nack(old, delay=0)
        assert store.ack(old) == {0: "lease_lost"}
        new = store.take()
        assert store.nack(old) == {0: "lease_lost"}
        assert store.ack(new) == {}

    def test_the_receipt_is_plain_data(self, store: Driver) -> None:
        """A door hands a receipt out as text and makes a new object of what comes back."""
        store.create()
        store.send("a")
        delivery = store.take()
        assert store.ack(Receipt(delivery.id, delivery.epoch, delivery.generation)) == {}

    def test_an_invented_receipt_is_stale(self, store: Driver) -> None:
        store.create()
        store.send("a", "b")
        first, second = store.take(), store.take()
        inventions = [
            Receipt(first.id, second.epoch, first.generation),
            Receipt(first.id, first.epoch + 100, first.generation),
            Receipt(first.id, 0, first.generation),
            Receipt(first.id, first.epoch, first.generation + 1),
            Receipt(999, first.epoch, first.generation),
        ]
        assert store.ack(*inventions) == {
            0: "lease_lost",
            1: "lease_lost",
            2: "lease_lost",
            3: "message_not_found",
            4: "message_not_found",
        }
        assert store.ack(first, second) == {}

    def test_every_hand_out_raises_the_epoch(self, store: Driver) -> None:
        store.create()
        store.create("other")
        store.send("a", "b")
        store.send("c", queue="other")
        epochs = [store.take().epoch, store.take().epoch, store.take(queue="other").epoch, store.take("second").epoch]
        store.later(30_000)
        epochs.append(store.take().epoch)
        assert epochs == sorted(set(epochs))

    def test_a_settled_receipt_is_spent(self, store: Driver) -> None:
        """F2: a repeated ack is told so and does no harm."""
        store.create()
        store.send("a")
        delivery = store.take()
        assert store.ack(delivery) == {}
        assert store.ack(delivery) == {0: "message_not_found"}
        assert store.stats().totals.acked == 1

    def test_a_spent_receipt_is_lease_lost_while_another_group_keeps_the_message(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        store.send("a")
        delivery = store.take()
        store.ack(delivery)
        assert store.ack(delivery) == {0: "lease_lost"}

    def test_a_receipt_offered_to_another_group_is_stale(self, store: Driver) -> None:
        """F1."""
        store.create()
        store.create_group("other")
        store.send("a")
        delivery = store.take()
        store.take("other")
        assert store.ack(delivery, group="other") == {0: "lease_lost"}
        assert store.ack(delivery, group="nobody") == {0: "lease_lost"}
        assert "nobody" not in store.stats().groups
        assert store.ack(delivery) == {}

    def test_a_receipt_offered_to_another_queue_finds_no_message(self, store: Driver) -> None:
        store.create()
        store.create("other")
        store.send("a")
        delivery = store.take()
        assert store.ack(delivery, queue="other") == {0: "message_not_found"}
        assert store.ack(delivery) == {}

    def test_failures_name_index_and_message_and_the_others_succeed(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        sent = store.send("a", "b", "c")
        a, b, c = store.receive()
        store.ack(b)
        failures = store.call(store.store.ack(address("q"), "g", [a, b, Receipt(99, 1, 1), c], store.now))
        assert sorted(failures) == [1, 2]
        assert type(failures[1]) is LeaseLost and failures[1].message_id == sent[1]
        assert type(failures[2]) is MessageNotFound and failures[2].message_id == 99
        assert store.stats().groups["g"].leased == 0

    def test_the_same_receipt_twice_in_a_batch_counts_once(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        store.send("a", "b")
        a, b = store.receive()
        assert store.nack(a, a, delay=0) == {1: "lease_lost"}
        assert store.ack(b, b) == {1: "lease_lost"}
        totals = store.stats().totals
        assert (totals.nacked, totals.acked) == (1, 1)

    def test_a_stale_receipt_beside_the_one_that_holds_is_lease_lost(self, store: Driver) -> None:
        """F1: whichever comes first in the batch, the other one changes nothing."""
        store.create()
        store.send("a")
        stale = store.take()
        store.nack(stale, delay=0)
        assert store.ack(stale, store.take()) == {0: "lease_lost"}
        assert store.stats().stored == 0

    def test_extend_moves_the_end_of_the_lease_and_keeps_the_receipt(self, store: Driver) -> None:
        store.create()
        store.send("a")
        delivery = store.take(lease=100)
        store.later(50)
        assert store.extend(delivery, lease=100) == {}
        store.later(99)
        assert store.receive() == []
        assert store.extend(delivery, lease=10) == {}
        assert store.browse()[0].due == store.now + 10
        assert store.ack(delivery) == {}

    def test_extend_may_shorten_a_lease(self, store: Driver) -> None:
        store.create()
        store.send("a")
        delivery = store.take(lease=10_000)
        store.extend(delivery, lease=1)
        store.later(1)
        assert store.ack(delivery) == {0: "lease_lost"}
        assert bodies(store.receive()) == ["a"]

    def test_a_delivery_says_what_was_handed_to_whom(self, store: Driver) -> None:
        store.create()
        [message_id] = store.send("a", headers={"k": "v"}, priority=2)
        [delivery] = store.receive(consumer="worker 1")
        assert (delivery.id, delivery.message.id, delivery.consumer) == (message_id, message_id, "worker 1")
        assert (delivery.message.body, delivery.message.headers, delivery.message.priority) == (b"a", {"k": "v"}, 2)
        [seen] = store.browse()
        assert (seen.state, seen.consumer, seen.due) == ("leased", "worker 1", delivery.lease_until)

    def test_auto_ack_removes_with_the_hand_out(self, store: Driver) -> None:
        """F8: what is handed out at most once can be neither returned nor handed out again."""
        store.create()
        store.send("a", "b")
        got = store.receive(auto_ack=True, lease=10)
        assert bodies(got) == ["a", "b"]
        assert store.stats().stored == 0
        assert store.nack(*got, delay=0) == {0: "message_not_found", 1: "message_not_found"}
        store.later(10)
        assert store.receive() == []
        totals = store.stats().totals
        assert (totals.delivered, totals.acked, totals.returned) == (2, 2, 0)

    def test_auto_ack_is_for_its_group_alone(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        sent = store.send("a")
        store.receive(auto_ack=True)
        assert ids(store.receive(group="other")) == sent

    def test_many_leases_end_each_at_its_own_time(self, store: Driver) -> None:
        store.create(max_attempts=0)
        store.send(*[str(n) for n in range(50)])
        for lease in range(50, 0, -1):
            store.take(lease=lease)
        store.later(25)
        back = store.receive(50)
        assert bodies(back) == [str(n) for n in range(49, 24, -1)]
        assert store.stats().totals.returned == 25

    @pytest.mark.parametrize("verb", ["ack", "nack", "reject"])
    def test_an_empty_batch_changes_nothing(self, store: Driver, verb: str) -> None:
        store.create()
        store.send("a")
        store.take()
        assert getattr(store, verb)() == {}
        assert store.stats().leased == 1

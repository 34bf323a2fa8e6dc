"""Ordering keys: per group one message of a key at a time, in order; other keys go on."""

from crossdock.core.model import Message
from crossdock.testing.driver import Driver, bodies

from .base import Contract


def _send(store: Driver, *names: str) -> None:
    """Messages such as "k1" and "k2": the letter is the key."""
    store.send_all([Message(name.encode(), ordering_key=name[0]) for name in names])


class OrderingKeysContract(Contract):
    def test_one_message_of_a_key_is_leased_and_the_other_keys_go_on(self, store: Driver) -> None:
        """F36."""
        store.create()
        _send(store, "a1", "a2", "b1", "b2", "c1")
        assert bodies(store.receive()) == ["a1", "b1", "c1"]
        assert store.receive() == []

    def test_messages_without_a_key_are_never_held(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.send("free", "free too")
        assert bodies(store.receive()) == ["a1", "free", "free too"]

    def test_an_ack_lets_the_next_one_go(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2", "a3")
        for name in ("a1", "a2", "a3"):
            delivery = store.take()
            assert bodies([delivery]) == [name]
            store.ack(delivery)

    def test_at_most_once_hand_outs_hold_nothing(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        assert bodies(store.receive(1, auto_ack=True)) == ["a1"]
        assert bodies(store.receive(1, auto_ack=True)) == ["a2"]

    def test_a_retry_holds_its_key(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2", "b1")
        store.nack(store.take(), delay=1_000)
        assert bodies(store.receive()) == ["b1"]
        store.later(1_000)
        again = store.take()
        assert bodies([again]) == ["a1"]
        store.ack(again)
        assert bodies(store.receive()) == ["a2"]

    def test_a_nack_without_delay_comes_before_the_rest_of_its_key(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.later(10)
        store.nack(store.take(), delay=0)
        assert bodies(store.receive()) == ["a1"]

    def test_a_message_whose_lease_ended_comes_before_the_rest_of_its_key(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.take(lease=10)
        store.later(10)
        assert bodies(store.receive()) == ["a1"]

    def test_a_dead_message_lets_its_key_go(self, store: Driver) -> None:
        store.create(max_attempts=1)
        _send(store, "a1", "a2", "a3", "a4")
        store.nack(store.take())
        store.reject(store.take())
        store.take(lease=10)
        store.later(10)
        assert bodies(store.receive()) == ["a4"]

    def test_a_message_that_goes_lets_its_key_go(self, store: Driver) -> None:
        store.create()
        _send(store, "a1")
        store.send("a2", ordering_key="a", ttl=50)
        _send(store, "a3")
        store.nack(store.take(), delay=1_000)
        store.delete_messages([1])
        store.nack(store.take(), delay=1_000)
        store.later(50)
        assert bodies(store.receive()) == ["a3"]

    def test_a_lease_that_ends_by_deletion_lets_its_key_go(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.take()
        store.delete_messages([1])
        assert bodies(store.receive()) == ["a2"]

    def test_a_first_delay_holds_nothing(self, store: Driver) -> None:
        store.create()
        store.send("a1", ordering_key="a", delay=100)
        store.send("a2", ordering_key="a")
        store.ack(store.take())
        store.later(100)
        assert bodies(store.receive()) == ["a1"]

    def test_among_messages_of_a_key_that_are_due_priority_counts(self, store: Driver) -> None:
        store.create()
        store.send("a1", ordering_key="a")
        store.send("a2", ordering_key="a", priority=-1)
        assert bodies(store.receive()) == ["a2"]

    def test_an_urgent_message_does_not_overtake_a_retry_of_its_key(self, store: Driver) -> None:
        store.create()
        _send(store, "a1")
        store.nack(store.take(), delay=0)
        store.send("urgent", ordering_key="a", priority=-5)
        assert bodies(store.receive()) == ["a1"]

    def test_each_group_keeps_its_own_order(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        _send(store, "a1", "a2")
        store.take()
        assert bodies(store.receive(group="other")) == ["a1"]

    def test_each_queue_keeps_its_own_order(self, store: Driver) -> None:
        store.create()
        store.create("other")
        _send(store, "a1")
        store.send("a2", ordering_key="a", queue="other")
        store.take()
        assert bodies(store.receive(queue="other")) == ["a2"]

    def test_a_message_whose_key_is_held_counts_as_ready(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.take()
        stats = store.stats()
        assert (stats.ready, stats.leased) == (1, 1)
        assert [seen.state for seen in store.browse()] == ["leased", "ready"]
        assert bodies(store.browse(state="ready")) == ["a2"]

    def test_a_deleted_group_leaves_no_key_held(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.nack(store.take(), delay=1_000)
        store.delete_group()
        assert bodies(store.receive()) == ["a1"]

    def test_a_late_group_finds_no_key_held(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        store.nack(store.take(), delay=1_000)
        assert bodies(store.receive(group="late")) == ["a1"]

    def test_an_extended_lease_holds_its_key_for_longer(self, store: Driver) -> None:
        store.create()
        _send(store, "a1", "a2")
        delivery = store.take(lease=10)
        store.extend(delivery, lease=100)
        store.later(50)
        assert store.receive() == []

    def test_a_key_with_many_messages_comes_in_order_through_failures(self, store: Driver) -> None:
        store.create(max_attempts=0)
        names = [f"a{n}" for n in range(20)]
        _send(store, *names)
        settled = []
        for turn in range(60):
            delivery = store.take(lease=5)
            assert store.receive() == []
            if turn % 3 == 0:
                store.later(5)
            elif turn % 3 == 1:
                store.nack(delivery, delay=0)
            else:
                settled += bodies([delivery])
                store.ack(delivery)
        assert settled == names

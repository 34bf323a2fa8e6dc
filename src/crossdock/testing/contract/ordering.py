"""Order of delivery, ids, and time that never falls."""

from crossdock.core.model import Message
from crossdock.testing.driver import START, Driver, bodies, ids

from .base import Contract


class OrderingContract(Contract):
    def test_messages_come_in_the_order_they_were_sent(self, store: Driver) -> None:
        store.create()
        store.send("a", "b")
        store.send("c")
        store.later(5)
        store.send("d")
        assert bodies(store.receive(4)) == ["a", "b", "c", "d"]

    def test_a_receive_takes_no_more_than_its_limit(self, store: Driver) -> None:
        store.create()
        store.send("a", "b", "c")
        assert bodies(store.receive(2)) == ["a", "b"]
        assert bodies(store.receive(2)) == ["c"]

    def test_the_lower_priority_number_comes_first(self, store: Driver) -> None:
        store.create()
        store.send("late", priority=5)
        store.send("normal")
        store.later(1)
        store.send("urgent", priority=-1000)
        assert bodies(store.receive()) == ["urgent", "normal", "late"]

    def test_within_a_priority_the_earlier_due_time_comes_first(self, store: Driver) -> None:
        store.create()
        store.send("delayed", delay=10)
        store.later(5)
        store.send("prompt")
        store.later(5)
        store.send("last")
        assert bodies(store.receive()) == ["prompt", "delayed", "last"]

    def test_equal_due_times_go_by_id(self, store: Driver) -> None:
        store.create()
        store.send("sent first", delay=10)
        store.later(10)
        store.send("sent second")
        assert bodies(store.receive()) == ["sent first", "sent second"]

    def test_a_delay_is_kept_to_the_millisecond(self, store: Driver) -> None:
        """F22: the delay is stored with the message and is no consumer's lease."""
        store.create()
        store.send("a", delay=12 * 3600 * 1000)
        store.later(12 * 3600 * 1000 - 1)
        assert store.receive(lease=1) == []
        store.later(1)
        assert bodies(store.receive()) == ["a"]
        assert store.stats().totals.delivered == 1

    def test_a_due_time_may_be_absolute(self, store: Driver) -> None:
        store.create()
        store.send("a", deliver_at=START + 50)
        store.later(49)
        assert store.receive() == []
        store.later(1)
        assert bodies(store.receive()) == ["a"]

    def test_a_due_time_in_the_past_is_the_time_of_acceptance(self, store: Driver) -> None:
        store.create()
        store.send("first")
        store.later(5)
        [late] = store.send("second", deliver_at=1)
        assert store.message(late).deliver_at == START + 5
        assert bodies(store.receive()) == ["first", "second"]

    def test_a_delayed_message_holds_up_no_other(self, store: Driver) -> None:
        """F36."""
        store.create()
        store.send("delayed and urgent", delay=1_000, priority=-1)
        store.send("ready")
        assert bodies(store.receive()) == ["ready"]

    def test_a_nacked_message_queues_behind_what_was_due_before_its_retry(self, store: Driver) -> None:
        store.create()
        [first] = store.send("nacked")
        store.nack(store.take(), delay=100)
        store.later(99)
        store.send("due before")
        store.later(2)
        store.send("due after")
        got = store.receive()
        assert bodies(got) == ["due before", "nacked", "due after"]
        assert ids(got)[1] == first

    def test_a_returned_message_queues_by_the_end_of_its_lease(self, store: Driver) -> None:
        store.create()
        store.send("returned")
        store.take(lease=100)
        store.later(99)
        store.send("due before")
        store.later(2)
        store.send("due after")
        assert bodies(store.receive()) == ["due before", "returned", "due after"]

    def test_ids_are_one_sequence_from_1_over_all_queues(self, store: Driver) -> None:
        store.create()
        store.create("other")
        assert store.send("a", "b") == [1, 2]
        assert store.send("c", queue="other") == [3]
        assert store.send("d") == [4]

    def test_ids_are_never_used_again(self, store: Driver) -> None:
        store.create()
        store.send("a", "b")
        store.delete_messages()
        store.delete()
        store.create()
        assert store.send("c") == [3]

    def test_the_store_fills_in_what_acceptance_decides(self, store: Driver) -> None:
        store.create(ttl=500)
        message = Message(b"a", {"k": "v"}, priority=3, delay=20, ordering_key="key", dedup_id="once")
        [message_id] = store.send_all([message]).ids
        kept = store.message(message_id)
        assert (kept.id, kept.body, kept.headers, kept.priority) == (message_id, b"a", {"k": "v"}, 3)
        assert (kept.enqueued_at, kept.deliver_at, kept.expires_at) == (START, START + 20, START + 500)
        assert (kept.ordering_key, kept.dedup_id) == ("key", "once")

    def test_time_never_falls(self, store: Driver) -> None:
        """F23: an earlier `now` counts as the latest one seen."""
        store.create()
        store.later(5_000)
        store.send("a")
        store.later(-4_000)
        [message_id] = store.send("b")
        assert store.message(message_id).enqueued_at == START + 5_000
        assert [d.lease_until for d in store.receive(lease=10)] == [START + 5_010] * 2

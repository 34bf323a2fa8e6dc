"""Deduplication: one id, one message, for the length of the window."""

import pytest

from crossdock.core.errors import DedupConflict, MessageExpired, QueueFull
from crossdock.core.model import Message
from crossdock.testing.driver import Driver, bodies

from .base import Contract


class DedupContract(Contract):
    def test_a_duplicate_gets_the_id_of_the_first_and_is_not_stored(self, store: Driver) -> None:
        store.create()
        [first] = store.send("a", dedup_id="once")
        result = store.send_all([Message(b"b"), Message(b"a", dedup_id="once")])
        assert result.ids[1] == first
        assert result.duplicates == [1]
        stats = store.stats()
        assert (stats.stored, stats.totals.sent, stats.totals.duplicates) == (2, 2, 1)

    def test_a_duplicate_may_come_in_the_same_batch(self, store: Driver) -> None:
        store.create()
        result = store.send_all([Message(b"a", dedup_id="once"), Message(b"a", dedup_id="once")])
        assert result.ids == [result.ids[0]] * 2
        assert result.duplicates == [1]
        assert bodies(store.receive()) == ["a"]

    def test_another_body_is_a_conflict_and_nothing_of_the_batch_is_stored(self, store: Driver) -> None:
        """F25."""
        store.create()
        store.send("a", dedup_id="once")
        with pytest.raises(DedupConflict) as refusal:
            store.send_all([Message(b"x", dedup_id="fresh"), Message(b"b", dedup_id="once")])
        assert refusal.value.value == "once"
        assert store.stats().stored == 1
        assert store.send_all([Message(b"another", dedup_id="fresh")]).duplicates == []

    def test_a_conflict_inside_a_batch_stores_nothing(self, store: Driver) -> None:
        store.create()
        with pytest.raises(DedupConflict):
            store.send_all([Message(b"a", dedup_id="once"), Message(b"b", dedup_id="once")])
        assert store.stats().stored == 0
        assert store.send_all([Message(b"b", dedup_id="once")]).duplicates == []

    def test_only_the_body_is_compared(self, store: Driver) -> None:
        store.create()
        [first] = store.send("a", dedup_id="once", priority=1, headers={"k": "v"})
        assert store.send("a", dedup_id="once", priority=2) == [first]
        assert store.message(first).priority == 1

    @pytest.mark.parametrize("other", ["ONCE", "once ", "onc", "öncé"])
    def test_ids_are_compared_exactly(self, store: Driver, other: str) -> None:
        """F25."""
        store.create()
        store.send("a", dedup_id="once")
        assert store.send_all([Message(b"a", dedup_id=other)]).duplicates == []

    def test_an_id_is_remembered_after_the_ack(self, store: Driver) -> None:
        """F25."""
        store.create()
        [first] = store.send("a", dedup_id="once")
        store.ack(store.take())
        assert store.send("a", dedup_id="once") == [first]
        assert store.receive() == []

    def test_an_id_is_remembered_after_purge_expiry_and_death(self, store: Driver) -> None:
        """F25."""
        store.create()
        [purged] = store.send("a", dedup_id="purged")
        store.delete_messages()
        [expired] = store.send("a", dedup_id="expired", ttl=10)
        store.later(10)
        [dead] = store.send("a", dedup_id="dead")
        store.reject(store.take())
        again = [Message(b"a", dedup_id=key) for key in ("purged", "expired", "dead")]
        assert store.send_all(again).ids == [purged, expired, dead]
        assert store.stats().stored == 0

    def test_the_window_ends(self, store: Driver) -> None:
        store.create(dedup_window=1_000)
        store.send("a", dedup_id="once")
        store.later(999)
        assert store.send_all([Message(b"a", dedup_id="once")]).duplicates == [0]
        store.later(1)
        assert store.send_all([Message(b"other body", dedup_id="once")]).duplicates == []

    def test_a_duplicate_does_not_lengthen_the_window(self, store: Driver) -> None:
        store.create(dedup_window=1_000)
        store.send("a", dedup_id="once")
        store.later(600)
        store.send("a", dedup_id="once")
        store.later(600)
        assert store.send_all([Message(b"a", dedup_id="once")]).duplicates == []

    def test_the_window_counts_from_acceptance_not_from_the_due_time(self, store: Driver) -> None:
        store.create(dedup_window=1_000)
        store.send("a", dedup_id="once", delay=5_000)
        store.later(1_000)
        assert store.send_all([Message(b"a", dedup_id="once")]).duplicates == []

    def test_the_window_in_force_is_that_of_the_first_sight(self, store: Driver) -> None:
        store.create(dedup_window=1_000)
        store.send("a", dedup_id="short")
        store.update(dedup_window=5_000)
        store.send("a", dedup_id="long")
        store.update(dedup_window=1)
        store.later(999)
        assert store.send_all([Message(b"a", dedup_id="short")]).duplicates == [0]
        store.later(1)
        assert store.send_all([Message(b"a", dedup_id="short")]).duplicates == []
        assert store.send_all([Message(b"a", dedup_id="long")]).duplicates == [0]

    def test_each_queue_remembers_for_itself(self, store: Driver) -> None:
        store.create()
        store.create("other")
        store.send("a", dedup_id="once")
        assert store.send_all([Message(b"b", dedup_id="once")], "other").duplicates == []

    def test_a_refused_batch_leaves_no_id_behind(self, store: Driver) -> None:
        """F25: the id is stored with its message or not at all."""
        store.create(max_messages=1)
        with pytest.raises(QueueFull):
            store.send_all([Message(b"a", dedup_id="once"), Message(b"b")])
        with pytest.raises(MessageExpired):
            store.send_all([Message(b"a", dedup_id="once"), Message(b"b", ttl=1, delay=1)])
        assert store.send_all([Message(b"other body", dedup_id="once")]).duplicates == []

    def test_a_duplicate_needs_no_room(self, store: Driver) -> None:
        store.create(max_messages=1)
        [first] = store.send("a", dedup_id="once")
        assert store.send("a", dedup_id="once") == [first]

    def test_a_topic_without_groups_remembers_too(self, store: Driver) -> None:
        store.create(kind="topic")
        [first] = store.send("a", dedup_id="once")
        assert store.send("a", dedup_id="once") == [first]

    def test_a_dead_letter_does_not_take_its_id_along(self, store: Driver) -> None:
        store.create()
        store.send("a", dedup_id="once")
        store.reject(store.take())
        assert store.send_all([Message(b"b", dedup_id="once")], "q.dlq").duplicates == []

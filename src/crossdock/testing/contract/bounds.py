"""Depth bounds and the two ways to meet them."""

import pytest

from crossdock.core.errors import QueueFull
from crossdock.core.model import Message
from crossdock.testing.driver import Driver, bodies

from .base import Contract


class BoundsContract(Contract):
    def test_a_full_queue_refuses(self, store: Driver) -> None:
        store.create(max_messages=2)
        store.send("a", "b")
        with pytest.raises(QueueFull):
            store.send("c")
        assert bodies(store.receive()) == ["a", "b"]

    def test_nothing_of_a_batch_that_does_not_fit_is_stored(self, store: Driver) -> None:
        store.create(max_messages=2)
        store.send("a")
        with pytest.raises(QueueFull):
            store.send("b", "c")
        stats = store.stats()
        assert (stats.stored, stats.totals.sent, stats.totals.dropped) == (1, 1, 0)

    def test_bytes_are_those_of_the_bodies(self, store: Driver) -> None:
        store.create(max_bytes=10)
        store.send("12345", headers={"many": "bytes that do not count"})
        store.send("67890")
        assert store.stats().bytes == 10
        with pytest.raises(QueueFull):
            store.send("x")
        assert store.send("") == [3]

    def test_leased_and_delayed_messages_count(self, store: Driver) -> None:
        store.create(max_messages=2)
        store.send("a")
        store.take()
        store.send("b", delay=1_000)
        with pytest.raises(QueueFull):
            store.send("c")

    def test_a_message_counts_once_for_all_groups(self, store: Driver) -> None:
        store.create(max_messages=2)
        store.create_group("a")
        store.create_group("b")
        store.send("1", "2")
        assert store.stats().stored == 2

    def test_an_ack_makes_room(self, store: Driver) -> None:
        store.create(max_messages=1)
        store.send("a")
        store.ack(store.take())
        store.send("b")
        assert bodies(store.receive()) == ["b"]

    def test_the_oldest_makes_room_where_the_queue_says_so(self, store: Driver) -> None:
        store.create(max_messages=3, overflow="drop-oldest")
        store.send("a", priority=-1)
        store.send("b", "c")
        store.send("d", "e")
        assert bodies(store.receive()) == ["c", "d", "e"]
        stats = store.stats()
        assert (stats.stored, stats.totals.sent, stats.totals.dropped) == (3, 5, 2)

    def test_as_many_are_dropped_as_bytes_are_needed(self, store: Driver) -> None:
        store.create(max_bytes=10, overflow="drop-oldest")
        store.send("aaaa", "bb", "cccc")
        store.send("ddddd")
        assert bodies(store.receive()) == ["cccc", "ddddd"]
        assert store.stats().bytes == 9

    def test_a_leased_message_is_not_dropped(self, store: Driver) -> None:
        store.create(max_messages=2, overflow="drop-oldest")
        store.send("leased", "ready")
        held = store.take()
        store.send("new")
        assert bodies(store.browse()) == ["leased", "new"]
        assert store.ack(held) == {}

    def test_a_message_that_any_group_has_leased_is_not_dropped(self, store: Driver) -> None:
        store.create(max_messages=1, overflow="drop-oldest")
        store.create_group("other")
        store.send("a")
        store.take("other")
        with pytest.raises(QueueFull):
            store.send("b")

    def test_a_queue_whose_messages_are_all_leased_refuses(self, store: Driver) -> None:
        store.create(max_messages=2, overflow="drop-oldest")
        store.send("a", "b")
        store.receive()
        with pytest.raises(QueueFull):
            store.send("c")
        assert store.stats().totals.dropped == 0

    def test_when_dropping_cannot_make_enough_room_nothing_is_dropped(self, store: Driver) -> None:
        store.create(max_messages=2, overflow="drop-oldest")
        store.send("leased", "ready")
        store.take()
        with pytest.raises(QueueFull):
            store.send("c", "d")
        with pytest.raises(QueueFull):
            store.send("c", "d", "e")
        assert bodies(store.browse()) == ["leased", "ready"]
        assert store.stats().totals.dropped == 0

    def test_a_message_that_came_back_is_dropped_once(self, store: Driver) -> None:
        store.create(max_messages=3, overflow="drop-oldest")
        store.send("came back", "b", "c")
        store.nack(store.take(), delay=0)
        store.send("d", "e")
        assert bodies(store.receive()) == ["c", "d", "e"]
        assert store.stats().totals.dropped == 2

    def test_delayed_messages_may_be_dropped(self, store: Driver) -> None:
        store.create(max_messages=1, overflow="drop-oldest")
        store.send("a", delay=1_000)
        store.send("b")
        store.later(1_000)
        assert bodies(store.receive()) == ["b"]

    def test_duplicates_of_a_batch_need_no_room(self, store: Driver) -> None:
        store.create(max_messages=2)
        store.send("a", dedup_id="once")
        result = store.send_all([Message(b"a", dedup_id="once"), Message(b"b")])
        assert result.duplicates == [0]
        assert store.stats().stored == 2

    def test_a_lower_bound_refuses_and_removes_nothing(self, store: Driver) -> None:
        store.create()
        store.send("a", "b", "c")
        store.update(max_messages=1)
        assert store.stats().stored == 3
        with pytest.raises(QueueFull):
            store.send("d")

    def test_a_topic_without_groups_is_never_full(self, store: Driver) -> None:
        store.create(kind="topic", max_messages=1)
        store.send("a")
        store.send("b")
        assert store.stats().stored == 0

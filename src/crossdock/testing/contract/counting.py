"""Stats and totals."""

from crossdock.core.model import GroupStats, Totals
from crossdock.testing.driver import START, Driver

from .base import Contract


class CountingContract(Contract):
    def test_an_empty_queue_counts_nothing(self, store: Driver) -> None:
        store.create()
        stats = store.stats()
        assert (stats.name, stats.stored, stats.bytes, stats.oldest, stats.dead) == ("q", 0, 0, 0, 0)
        assert (stats.ready, stats.delayed, stats.leased, stats.groups) == (0, 0, 0, {})
        assert stats.totals == Totals()

    def test_without_groups_the_messages_are_counted(self, store: Driver) -> None:
        store.create()
        store.send("abc", "de")
        store.send("f", delay=100)
        stats = store.stats()
        assert (stats.stored, stats.bytes) == (3, 6)
        assert (stats.ready, stats.delayed, stats.leased) == (2, 1, 0)
        store.later(100)
        stats = store.stats()
        assert (stats.ready, stats.delayed) == (3, 0)

    def test_with_groups_the_counts_are_their_sum(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        store.send("1", "2", "3")
        first, second = store.receive(2, "a")
        store.ack(first, group="a")
        store.nack(second, group="a", delay=100)
        store.take("b")
        stats = store.stats()
        assert stats.groups == {"a": GroupStats(ready=1, delayed=1), "b": GroupStats(ready=2, leased=1)}
        assert (stats.ready, stats.delayed, stats.leased, stats.stored) == (3, 1, 1, 3)

    def test_a_first_delay_counts_as_delayed_for_every_group(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        store.send("1", delay=100)
        assert store.stats().groups == {"a": GroupStats(delayed=1), "b": GroupStats(delayed=1)}
        store.later(100)
        assert store.stats().groups == {"a": GroupStats(ready=1), "b": GroupStats(ready=1)}

    def test_the_oldest_is_told_by_its_acceptance(self, store: Driver) -> None:
        store.create()
        store.send("first")
        store.later(10)
        store.send("second", priority=-1)
        assert store.stats().oldest == START
        store.delete_messages([1])
        assert store.stats().oldest == START + 10

    def test_totals_count_what_happened(self, store: Driver) -> None:
        store.create(max_attempts=2)
        store.send("acked", "nacked", "returned", "rejected")
        acked, nacked, _returned, rejected = store.receive(lease=100)
        store.ack(acked)
        store.nack(nacked, delay=0)
        store.reject(rejected)
        store.later(100)
        store.send("expiring", ttl=1)
        store.later(1)
        store.delete_messages([2])
        assert store.stats().totals == Totals(
            sent=5, delivered=4, acked=1, nacked=1, returned=1, dead=1, expired=1, purged=1
        )

    def test_acks_and_hand_outs_count_for_each_group(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        store.send("1")
        store.ack(store.take("a"), group="a")
        store.ack(store.take("b"), group="b")
        totals = store.stats().totals
        assert (totals.sent, totals.delivered, totals.acked) == (1, 2, 2)

    def test_the_last_nack_counts_as_nacked_and_dead(self, store: Driver) -> None:
        store.create(max_attempts=1)
        store.send("a")
        store.nack(store.take())
        totals = store.stats().totals
        assert (totals.nacked, totals.dead) == (1, 1)

    def test_dead_letters_are_counted_where_they_went(self, store: Driver) -> None:
        store.create(dead_letter="graveyard")
        store.send("a", "b")
        store.reject(*store.receive())
        assert store.stats().dead == 2
        store.delete_messages([1], "graveyard")
        assert store.stats().dead == 1
        assert store.stats().totals.dead == 2

"""What is due happens at its time, whoever asks; `tick` tells where, and when to ask again."""

from collections.abc import Callable

import pytest

from crossdock.testing.driver import START, Driver, bodies

from .base import Contract

Q = ("default", "q")

VERBS: dict[str, Callable[[Driver], object]] = {
    "stats": lambda store: store.stats(),
    "send": lambda store: store.send("another", queue="other"),
    "receive": lambda store: store.receive(queue="other"),
    "peek": lambda store: store.peek(queue="other"),
    "create_queue": lambda store: store.create("third"),
}


class TickContract(Contract):
    def test_an_idle_store_waits_for_nothing(self, store: Driver) -> None:
        store.create()
        store.send("a")
        tick = store.tick()
        assert (tick.ready, tick.next_due) == ([], 0)

    def test_it_tells_when_the_next_thing_is_due(self, store: Driver) -> None:
        store.create()
        store.create_group()
        store.send("delayed", delay=300)
        assert START < store.tick().next_due <= START + 300
        store.send("leased")
        store.take(lease=200)
        assert START < store.tick().next_due <= START + 200
        store.send("expiring", ttl=100)
        assert START < store.tick().next_due <= START + 100

    def test_ticking_when_told_to_misses_nothing_and_ends(self, store: Driver) -> None:
        store.create(max_attempts=1, dedup_window=5_000)
        store.send("delayed", delay=300)
        store.send("leased", dedup_id="once")
        store.take(lease=200)
        store.send("expiring", ttl=100)
        told = []
        for _ in range(20):
            tick = store.tick()
            told += tick.ready
            if tick.next_due == 0:
                break
            assert tick.next_due > store.now
            store.now = tick.next_due
        assert tick.next_due == 0
        assert told == [("default", "q.dlq"), Q]
        assert store.stats().totals.expired == 1

    def test_a_delay_that_ends_makes_its_queue_ready(self, store: Driver) -> None:
        store.create()
        store.create_group()
        store.send("a", delay=100)
        store.later(99)
        assert store.tick().ready == []
        store.later(1)
        assert store.tick().ready == [Q]
        assert store.tick().ready == []

    def test_a_retry_and_a_lease_that_end_make_it_ready(self, store: Driver) -> None:
        store.create()
        store.send("a", "b")
        nacked, _leased = store.receive(lease=200)
        store.nack(nacked, delay=100)
        store.tick()
        store.later(100)
        assert store.tick().ready == [Q]
        store.later(100)
        assert store.tick().ready == [Q]

    def test_a_nack_without_delay_makes_it_ready(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.nack(store.take(), delay=0)
        assert store.tick().ready == [Q]

    def test_an_ordering_key_that_is_let_go_makes_it_ready(self, store: Driver) -> None:
        store.create()
        store.send("a", "b", ordering_key="key")
        delivery = store.take()
        assert store.receive() == []
        store.tick()
        store.ack(delivery)
        assert store.tick().ready == [Q]

    def test_a_dead_letter_makes_its_queue_ready(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        assert store.tick().ready == [("default", "q.dlq")]

    def test_a_redrive_makes_the_origin_ready(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        store.tick()
        store.redrive()
        assert store.tick().ready == [Q]

    def test_a_queue_that_is_resumed_is_ready(self, store: Driver) -> None:
        store.create(paused=True)
        store.send("a")
        store.tick()
        store.update()
        assert store.tick().ready == [Q]

    def test_each_queue_is_named_once(self, store: Driver) -> None:
        store.create()
        store.create("other")
        store.create_group()
        store.create_group(queue="other")
        store.send("a", "b", "c", delay=100)
        store.send("d", delay=50, queue="other")
        store.later(100)
        assert sorted(store.tick().ready) == [("default", "other"), Q]

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_first_does_what_is_due(self, store: Driver, verb: str) -> None:
        """No answer depends on when a sweeper last ran, and what another verb did is told by the next tick."""
        store.create(max_attempts=1)
        store.create("other")
        store.send("leased")
        store.take(lease=100)
        store.send("delayed", delay=100)
        store.send("expiring", ttl=100)
        store.tick()
        store.later(100)
        VERBS[verb](store)
        assert sorted(store.tick().ready) == [Q, ("default", "q.dlq")]
        stats = store.stats()
        assert (stats.stored, stats.ready, stats.totals.dead, stats.totals.expired) == (1, 1, 1, 1)

    def test_hours_pass_in_one_step(self, store: Driver) -> None:
        """What lay between is done in its order: each lease that ended counts, at its own time."""
        store.create(max_attempts=2)
        store.send("a")
        store.send("b", delay=3_600_000)
        store.take(lease=60_000)
        store.later(12 * 3_600_000)
        assert bodies(store.receive()) == ["a", "b"]
        assert store.stats().totals.returned == 1

"""What a store that outlives its process must find again. For those whose `make_store` reopens the same folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossdock.core.model import Message
from crossdock.testing.driver import Driver, bodies, ids

from .base import Contract

Reopen = Callable[[], Driver]


class DurabilityContract(Contract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Reopen]:
        """A function that closes the store, if it is open, and opens it again at the same time."""
        current: list[Driver] = []

        def again() -> Driver:
            now = None
            if current:
                now = current[0].now
                current.pop().__exit__(None, None, None)
            driver = Driver(self.make_store(tmp_path)) if now is None else Driver(self.make_store(tmp_path), now)
            current.append(driver.__enter__())
            return driver

        yield again
        for driver in current:
            driver.__exit__(None, None, None)

    def test_queues_groups_settings_and_messages_are_found_again(self, reopen: Reopen) -> None:
        store = reopen()
        store.create(ttl=5_000, max_attempts=9)
        store.create("topic", namespace="other", kind="topic")
        store.create_group()
        store.send_all([Message(b"a", {"k": "v"}, priority=2, ordering_key="key")])
        store.send("delayed", delay=100)
        before = (store.stats(), store.message(1), store.browse(), store.queues())
        store = reopen()
        assert (store.stats(), store.message(1), store.browse(), store.queues()) == before

    def test_a_lease_and_its_receipt_outlive_the_process(self, reopen: Reopen) -> None:
        store = reopen()
        store.create()
        store.send("acked later", "left alone")
        acked, _left = store.receive(lease=1_000)
        store = reopen()
        assert store.receive() == []
        assert store.ack(acked) == {}
        store.later(1_000)
        assert bodies(store.receive()) == ["left alone"]

    def test_attempts_outlive_the_process(self, reopen: Reopen) -> None:
        """F3: the count is stored by the hand-out itself and never falls."""
        store = reopen()
        store.create(max_attempts=3)
        store.send("poison")
        for attempt in (1, 2, 3):
            assert store.take(lease=10).attempt == attempt
            store = reopen()
            assert store.browse()[0].attempts == attempt
            store.later(10)
        assert store.receive() == []
        assert store.stats().dead == 1

    def test_what_was_settled_stays_settled(self, reopen: Reopen) -> None:
        store = reopen()
        store.create()
        store.send("acked", "at most once", "rejected")
        store.ack(store.take())
        store.receive(1, auto_ack=True)
        store.reject(store.take())
        store = reopen()
        assert store.receive() == []
        assert bodies(store.receive(queue="q.dlq")) == ["rejected"]

    def test_a_stale_receipt_stays_stale(self, reopen: Reopen) -> None:
        """F1."""
        store = reopen()
        store.create()
        store.send("a")
        old = store.take(lease=10)
        store.later(10)
        new = store.take()
        store = reopen()
        assert store.ack(old) == {0: "lease_lost"}
        assert store.ack(new) == {}

    def test_ids_and_epochs_go_on(self, reopen: Reopen) -> None:
        """F24: neither is used twice, even when what carried it is gone."""
        store = reopen()
        store.create()
        sent = store.send("a")
        first = store.take()
        store.ack(first)
        store = reopen()
        assert store.send("b")[0] > sent[0]
        assert store.take().epoch > first.epoch

    def test_a_dedup_id_is_remembered(self, reopen: Reopen) -> None:
        """F25."""
        store = reopen()
        store.create(dedup_window=1_000)
        sent = store.send("a", dedup_id="once")
        store.ack(store.take())
        store = reopen()
        assert store.send("a", dedup_id="once") == sent
        store.later(1_000)
        assert store.send("a", dedup_id="once") != sent

    def test_what_fell_due_while_it_was_closed_is_done(self, reopen: Reopen) -> None:
        store = reopen()
        store.create(max_attempts=1)
        store.send("leased", priority=-1)
        store.send("delayed", delay=50)
        store.send("expiring", ttl=50)
        store.take(lease=50)
        store.later(100)
        store = reopen()
        stats = store.stats()
        assert (stats.ready, stats.totals.dead, stats.totals.expired) == (1, 1, 1)

    def test_an_ordering_key_stays_held(self, reopen: Reopen) -> None:
        store = reopen()
        store.create()
        store.send("a1", "a2", ordering_key="a")
        store.nack(store.take(), delay=100)
        store = reopen()
        assert store.receive() == []
        store.later(100)
        assert ids(store.receive()) == [1]

    def test_time_does_not_fall_across_a_restart(self, reopen: Reopen) -> None:
        """F23: a lease does not grow because the clock was set back while the store was closed."""
        store = reopen()
        store.create()
        store.later(1_000)
        store.send("a")
        until = store.take(lease=100).lease_until
        store.later(-900)
        store = reopen()
        assert store.browse()[0].due == until

    def test_closing_twice_does_nothing(self, reopen: Reopen) -> None:
        store = reopen()
        store.call(store.store.close())
        store.call(store.store.close())
        assert reopen().queues() == []

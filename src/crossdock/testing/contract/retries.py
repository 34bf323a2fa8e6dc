"""Attempts, nacks and the backoff between tries."""

import pytest

from crossdock.core.limits import BACKOFF_MS_MAX
from crossdock.testing.driver import START, Driver, bodies, ids

from .base import Contract


class RetriesContract(Contract):
    def test_the_hand_out_raises_the_attempt(self, store: Driver) -> None:
        """F4: a consumer that dies without a word has used an attempt; a nack uses none of its own."""
        store.create(max_attempts=0)
        store.send("a")
        assert store.peek()[0].attempts == 0
        first = store.take(lease=10)
        assert first.attempt == store.browse()[0].attempts == 1
        store.later(10)
        assert store.browse()[0].attempts == 1
        second = store.take()
        assert second.attempt == 2
        store.nack(second, delay=0)
        assert store.browse()[0].attempts == 2
        assert store.take().attempt == 3

    def test_an_earlier_delivery_object_is_never_changed(self, store: Driver) -> None:
        store.create()
        store.send("a")
        first = store.take(lease=10)
        store.later(10)
        store.take()
        assert (first.attempt, first.lease_until) == (1, START + 10)

    def test_a_nack_without_a_delay_backs_off_and_doubles(self, store: Driver) -> None:
        """F7."""
        store.create(backoff=1_000, max_attempts=0)
        store.send("a")
        for attempt in range(1, 6):
            store.nack(store.take())
            wait = 1_000 * 2 ** (attempt - 1)
            assert store.browse()[0].due == store.now + wait
            store.later(wait - 1)
            assert store.receive() == []
            store.later(1)

    def test_the_backoff_is_capped(self, store: Driver) -> None:
        """F7."""
        store.create(backoff=BACKOFF_MS_MAX // 2, max_attempts=0)
        store.send("a")
        for wait in (BACKOFF_MS_MAX // 2, BACKOFF_MS_MAX, BACKOFF_MS_MAX):
            store.nack(store.take())
            assert store.browse()[0].due == store.now + wait
            store.later(wait)

    @pytest.mark.parametrize(("jitter", "wait"), [(0.0, 1_000), (0.5, 1_050), (0.999, 1_099)])
    def test_jitter_adds_up_to_a_tenth(self, store: Driver, jitter: float, wait: int) -> None:
        store.create(backoff=1_000)
        store.send("a")
        store.nack(store.take(), jitter=jitter)
        assert store.browse()[0].due == START + wait

    def test_a_nack_with_a_delay_waits_exactly_that(self, store: Driver) -> None:
        store.create(backoff=1_000)
        store.send("a")
        store.nack(store.take(), delay=77, jitter=0.9)
        assert store.browse()[0].due == START + 77

    def test_a_nack_with_delay_0_is_ready_at_once(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.nack(store.take(), delay=0)
        assert store.browse()[0].state == "ready"
        assert store.take().attempt == 2

    def test_a_returned_message_keeps_id_and_acceptance(self, store: Driver) -> None:
        store.create()
        sent = store.send("a")
        store.later(10)
        store.nack(store.take(), delay=5)
        store.later(5)
        again = store.take()
        assert [again.id] == sent
        assert again.message.enqueued_at == START

    def test_the_last_error_is_kept(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.nack(store.take(), delay=0, error="first try")
        assert store.peek()[0].error == "first try"
        store.nack(store.take(), delay=0, error="second try")
        assert store.browse()[0].error == "second try"

    def test_a_nack_is_its_groups_alone(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        sent = store.send("a")
        store.nack(store.take(), delay=1_000)
        [seen] = store.browse("other")
        assert (seen.state, seen.attempts, seen.error) == ("ready", 0, "")
        assert ids(store.receive(group="other")) == sent

    def test_a_batch_of_nacks_backs_off_each_by_its_own_attempt(self, store: Driver) -> None:
        store.create(backoff=1_000)
        store.send("tried twice")
        store.nack(store.take(), delay=0)
        store.send("tried once")
        store.nack(*store.receive())
        assert [seen.due for seen in store.browse()] == [START + 2_000, START + 1_000]

    def test_without_a_limit_a_message_is_tried_for_ever(self, store: Driver) -> None:
        store.create(max_attempts=0, backoff=1)
        store.send("a")
        for attempt in range(1, 60):
            delivery = store.take()
            assert delivery.attempt == attempt
            store.nack(delivery, delay=0)
        assert bodies(store.peek()) == ["a"]
        assert store.stats().totals.dead == 0

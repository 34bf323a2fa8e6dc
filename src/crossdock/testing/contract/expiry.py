"""Time to live: never handed out late, dropped or dead-lettered, wherever the message stands."""

import pytest

from crossdock.core.errors import MessageExpired, MessageNotFound
from crossdock.core.model import Message
from crossdock.testing.driver import START, Driver, bodies, ids

from .base import Contract


class ExpiryContract(Contract):
    def test_an_expired_message_is_never_handed_out(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        store.later(100)
        assert store.receive() == []
        stats = store.stats()
        assert (stats.stored, stats.totals.expired) == (0, 1)

    def test_a_message_lives_to_its_last_millisecond(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        store.later(99)
        assert bodies(store.receive()) == ["a"]

    def test_it_is_gone_whoever_asks_first(self, store: Driver) -> None:
        store.create()
        [sent] = store.send("a", ttl=100)
        store.later(100)
        with pytest.raises(MessageNotFound):
            store.message(sent)

    def test_the_queue_gives_messages_without_a_ttl_its_own(self, store: Driver) -> None:
        store.create(ttl=100)
        store.send("of the queue")
        store.send("of its own", ttl=200)
        store.later(100)
        assert bodies(store.peek()) == ["of its own"]
        store.later(100)
        assert store.peek() == []

    def test_without_a_ttl_a_message_lives_for_ever(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.later(10 * 366 * 24 * 3600 * 1000)
        assert bodies(store.receive()) == ["a"]

    def test_it_counts_from_acceptance_and_not_from_the_due_time(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100, delay=60)
        store.later(60)
        assert bodies(store.peek()) == ["a"]
        store.later(40)
        assert store.receive() == []

    def test_it_does_not_wait_for_the_head_of_the_queue(self, store: Driver) -> None:
        """F36."""
        store.create()
        store.send("head", priority=-1)
        store.send("behind it", ttl=100, priority=5)
        store.send("delayed for longer", delay=1_000)
        store.later(100)
        stats = store.stats()
        assert (stats.stored, stats.totals.expired) == (2, 1)

    @pytest.mark.parametrize(("ttl", "delay"), [(100, 100), (100, 101)])
    def test_a_message_that_expires_before_it_is_due_is_refused(self, store: Driver, ttl: int, delay: int) -> None:
        store.create()
        batch = [Message(b"fine"), Message(b"never", ttl=ttl, delay=delay)]
        with pytest.raises(MessageExpired):
            store.send_all(batch)
        assert store.stats().stored == 0

    def test_the_ttl_of_the_queue_refuses_a_longer_delay_too(self, store: Driver) -> None:
        store.create(ttl=100)
        with pytest.raises(MessageExpired):
            store.send("a", deliver_at=START + 100)

    def test_where_the_queue_says_so_it_is_dead_lettered(self, store: Driver) -> None:
        store.create(dead_letter_expired=True)
        store.create_group()
        store.send("a", ttl=100)
        store.later(100)
        letter = store.take(queue="q.dlq").message
        assert letter.headers == {
            "x-origin-queue": "q",
            "x-origin-group": "g",
            "x-reason": "expired",
            "x-attempts": "0",
        }
        assert letter.expires_at == 0
        totals = store.stats().totals
        assert (totals.dead, totals.expired) == (1, 0)

    def test_it_is_dead_lettered_once_for_each_group_that_missed_it(self, store: Driver) -> None:
        store.create(dead_letter_expired=True)
        for group in ("a", "b", "done with it"):
            store.create_group(group)
        store.send("1", ttl=100)
        store.ack(store.take("done with it"), group="done with it")
        store.later(100)
        letters = [seen.message.headers or {} for seen in store.browse(queue="q.dlq")]
        assert sorted(letter["x-origin-group"] for letter in letters) == ["a", "b"]

    def test_a_message_that_no_group_waited_for_expires_too(self, store: Driver) -> None:
        store.create(dead_letter_expired=True)
        store.create("dropping")
        store.send("a", ttl=100)
        store.send("b", ttl=100, queue="dropping")
        store.later(100)
        headers = store.take(queue="q.dlq").message.headers
        assert headers is not None and headers["x-origin-group"] == ""
        assert store.stats("dropping").totals.expired == 1

    def test_a_lease_outlives_the_ttl(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        delivery = store.take(lease=1_000)
        store.later(500)
        stats = store.stats()
        assert (stats.stored, stats.leased) == (1, 1)
        assert store.ack(delivery) == {}
        assert store.stats().totals.expired == 0

    def test_a_leased_message_expires_when_it_is_nacked(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        delivery = store.take(lease=1_000)
        store.later(500)
        assert store.nack(delivery, delay=0) == {}
        stats = store.stats()
        assert (stats.stored, stats.totals.expired) == (0, 1)

    def test_a_leased_message_expires_when_its_lease_ends(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        store.take(lease=1_000)
        store.later(1_000)
        stats = store.stats()
        assert (stats.stored, stats.totals.expired, stats.totals.returned) == (0, 1, 1)

    def test_a_retry_that_lies_behind_the_end_expires_at_the_end(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        store.nack(store.take(), delay=10_000)
        assert store.stats().delayed == 1
        store.later(100)
        stats = store.stats()
        assert (stats.stored, stats.totals.expired) == (0, 1)

    def test_expiry_is_checked_before_attempts(self, store: Driver) -> None:
        store.create(max_attempts=1)
        store.send("a", ttl=100)
        store.take(lease=100)
        store.later(100)
        stats = store.stats()
        assert (stats.totals.expired, stats.totals.dead, stats.dead) == (1, 0, 0)

    def test_a_reject_dead_letters_what_has_expired_meanwhile(self, store: Driver) -> None:
        store.create()
        store.send("a", ttl=100)
        delivery = store.take(lease=1_000)
        store.later(500)
        store.reject(delivery)
        headers = store.take(queue="q.dlq").message.headers
        assert headers is not None and headers["x-reason"] == "rejected"

    def test_each_group_expires_on_its_own(self, store: Driver) -> None:
        store.create()
        store.create_group("waiting")
        sent = store.send("a", ttl=100)
        delivery = store.take(lease=1_000)
        store.later(100)
        assert store.receive(group="waiting") == []
        assert store.browse("waiting") == []
        assert ids(store.browse()) == sent
        assert store.ack(delivery) == {}
        assert store.stats().stored == 0

    def test_an_expired_message_frees_its_place(self, store: Driver) -> None:
        store.create(max_messages=1)
        store.send("a", ttl=100)
        store.later(100)
        assert store.send("b") == [2]

    def test_many_expire_each_at_its_own_time(self, store: Driver) -> None:
        store.create()
        for ttl in range(50, 0, -1):
            store.send(str(ttl), ttl=ttl)
        store.later(25)
        assert bodies(store.receive(100)) == [str(ttl) for ttl in range(50, 25, -1)]

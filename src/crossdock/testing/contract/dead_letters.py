"""How a message becomes a dead letter, what it carries, and what happens when nobody takes it."""

from crossdock.core.model import Message
from crossdock.core.policy import REFUSED_DELAY_MS
from crossdock.testing.driver import Driver, bodies, ids

from .base import Contract


class DeadLettersContract(Contract):
    def test_the_last_nack_dead_letters(self, store: Driver) -> None:
        store.create(max_attempts=2)
        store.send("a")
        store.nack(store.take(), delay=0)
        assert store.stats().totals.dead == 0
        store.nack(store.take(), delay=0, error="boom")
        assert store.receive() == []
        headers = store.take(queue="q.dlq").message.headers
        assert headers == {
            "x-origin-queue": "q",
            "x-origin-group": "g",
            "x-reason": "attempts",
            "x-attempts": "2",
            "x-error": "boom",
        }

    def test_the_last_lease_that_ends_dead_letters(self, store: Driver) -> None:
        """F4: a message that kills its consumers does not loop."""
        store.create(max_attempts=2)
        store.send("poison")
        for _ in range(2):
            store.take(lease=10)
            store.later(10)
        assert store.receive() == []
        [letter] = store.receive(queue="q.dlq")
        assert letter.message.headers is not None
        assert (letter.message.headers["x-reason"], letter.message.headers["x-attempts"]) == ("attempts", "2")
        totals = store.stats().totals
        assert (totals.delivered, totals.returned, totals.dead) == (2, 2, 1)

    def test_the_default_limit_is_three_attempts(self, store: Driver) -> None:
        """F7: a limit is on unless it is taken off."""
        store.create()
        store.send("a")
        for _ in range(3):
            store.nack(store.take(), delay=0)
        assert store.receive() == []
        assert store.stats().dead == 1

    def test_a_reject_dead_letters_now(self, store: Driver) -> None:
        store.create()
        store.send("a")
        assert store.reject(store.take(), error="unreadable") == {}
        headers = store.take(queue="q.dlq").message.headers
        assert headers == {
            "x-origin-queue": "q",
            "x-origin-group": "g",
            "x-reason": "rejected",
            "x-attempts": "1",
            "x-error": "unreadable",
        }

    def test_a_dead_letter_carries_the_error_of_an_earlier_nack(self, store: Driver) -> None:
        store.create(max_attempts=2)
        store.send("a")
        store.nack(store.take(), delay=0, error="the first time")
        store.take(lease=10)
        store.later(10)
        headers = store.take(queue="q.dlq").message.headers
        assert headers is not None and headers["x-error"] == "the first time"

    def test_a_dead_letter_is_the_same_message(self, store: Driver) -> None:
        store.create(ttl=1_000)
        message = Message(b"a", {"k": "v"}, priority=7, ordering_key="key", dedup_id="once")
        sent = store.send_all([message]).ids
        store.reject(store.take())
        store.later(2_000)
        letter = store.take(queue="q.dlq").message
        assert [letter.id] == sent
        assert (letter.body, letter.priority, letter.ordering_key) == (b"a", 7, "key")
        assert letter.headers is not None and letter.headers["k"] == "v"
        assert (letter.expires_at, letter.dedup_id) == (0, None)

    def test_a_dead_letter_begins_at_0_attempts_and_at_once(self, store: Driver) -> None:
        store.create()
        store.create("q.dlq")
        store.create_group("first", "q.dlq")
        store.create_group("second", "q.dlq")
        store.send("a")
        store.reject(store.take())
        assert store.take("first", "q.dlq").attempt == 1
        assert store.take("second", "q.dlq").attempt == 1

    def test_the_dead_letter_queue_is_created_on_first_need_with_default_settings(self, store: Driver) -> None:
        store.create()
        store.send("a")
        delivery = store.take()
        assert store.queues() == [("default", "q")]
        store.reject(delivery)
        assert store.queues() == [("default", "q"), ("default", "q.dlq")]
        stats = store.stats("q.dlq")
        assert (stats.stored, stats.groups, stats.settings.kind, stats.settings.max_attempts) == (1, {}, "queue", None)

    def test_a_dead_letter_queue_has_no_attempt_limit_of_its_own(self, store: Driver) -> None:
        """F6: dead letters do not die again and go nowhere else."""
        store.create()
        store.send("a")
        store.reject(store.take())
        for _ in range(10):
            store.nack(store.take(queue="q.dlq"), queue="q.dlq", delay=0)
        assert store.stats("q.dlq").ready == 1
        assert len(store.queues()) == 2

    def test_a_queue_named_dlq_obeys_settings_that_say_otherwise(self, store: Driver) -> None:
        store.create("x.dlq", max_attempts=1, dead_letter="graveyard")
        store.send("a", queue="x.dlq")
        store.nack(store.take(queue="x.dlq"), queue="x.dlq")
        assert bodies(store.receive(queue="graveyard")) == ["a"]

    def test_the_dead_letter_queue_may_have_any_name(self, store: Driver) -> None:
        store.create(dead_letter="graveyard")
        store.send("a")
        store.reject(store.take())
        assert bodies(store.receive(queue="graveyard")) == ["a"]
        assert ("default", "q.dlq") not in store.queues()

    def test_with_dead_lettering_off_the_message_is_dropped_and_counted(self, store: Driver) -> None:
        store.create(dead_letter="", max_attempts=1)
        store.send("nacked", "rejected", "returned")
        nacked, rejected, _returned = store.receive(lease=10)
        store.nack(nacked)
        store.reject(rejected)
        store.later(10)
        stats = store.stats()
        assert (stats.stored, stats.dead, stats.totals.dropped, stats.totals.dead) == (0, 0, 3, 0)
        assert store.queues() == [("default", "q")]

    def test_other_groups_keep_the_message(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        sent = store.send("a")
        store.reject(store.take())
        delivery = store.take("other")
        assert [delivery.id] == sent
        assert delivery.message.headers is None
        assert store.ack(delivery, group="other") == {}
        assert ids(store.browse(queue="q.dlq")) == sent

    def test_the_second_group_to_fail_a_message_makes_a_letter_of_its_own(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        [sent] = store.send("a")
        store.reject(store.take())
        store.reject(store.take("other"), group="other")
        first, second = (delivery.message for delivery in store.receive(queue="q.dlq"))
        assert first.headers is not None and second.headers is not None
        assert (first.id, first.headers["x-origin-group"], first.headers.get("x-origin-id")) == (sent, "g", None)
        assert second.id > sent
        assert (second.headers["x-origin-group"], second.headers["x-origin-id"]) == ("other", str(sent))
        assert store.stats().stored == 0

    def test_a_senders_headers_of_the_same_names_give_way(self, store: Driver) -> None:
        store.create()
        store.send("a", headers={"x-error": "forged", "x-origin-id": "1", "mine": "kept"})
        store.reject(store.take())
        headers = store.take(queue="q.dlq").message.headers
        assert headers is not None
        assert headers["mine"] == "kept" and headers["x-reason"] == "rejected"
        assert "x-error" not in headers and "x-origin-id" not in headers

    def test_a_full_target_leaves_the_message_where_it_is(self, store: Driver) -> None:
        """F6: nothing is lost, and the try is repeated when the message has been handed out once more."""
        store.create(max_attempts=1)
        store.create("q.dlq", max_messages=1)
        store.send("occupant", queue="q.dlq")
        store.send("a")
        store.nack(store.take(), delay=0, error="boom")
        [kept] = store.browse()
        assert (kept.state, kept.attempts, kept.due) == ("delayed", 1, store.now + REFUSED_DELAY_MS)
        assert store.stats().totals.dead == 0
        store.later(REFUSED_DELAY_MS)
        beyond = store.take(lease=10)
        assert beyond.attempt == 2
        store.delete_messages(queue="q.dlq")
        store.later(10)
        assert bodies(store.receive(queue="q.dlq")) == ["a"]
        assert store.stats().stored == 0

    def test_a_reject_that_the_target_refuses_is_kept_too(self, store: Driver) -> None:
        """F6."""
        store.create()
        store.create("q.dlq", max_bytes=1)
        store.send("larger than one byte")
        assert store.reject(store.take()) == {}
        [kept] = store.browse()
        assert (kept.state, kept.due) == ("delayed", store.now + REFUSED_DELAY_MS)

    def test_a_target_that_drops_its_oldest_makes_room(self, store: Driver) -> None:
        store.create()
        store.create("q.dlq", max_messages=1, overflow="drop-oldest")
        store.send("older", queue="q.dlq")
        store.send("a")
        store.reject(store.take())
        assert bodies(store.receive(queue="q.dlq")) == ["a"]
        assert store.stats("q.dlq").totals.dropped == 1

    def test_a_dead_letter_frees_its_place(self, store: Driver) -> None:
        store.create(max_messages=1)
        store.send("a")
        store.reject(store.take())
        assert store.send("b") == [2]

    def test_dead_letters_of_many_queues_may_share_a_target(self, store: Driver) -> None:
        for queue in ("one", "two"):
            store.create(queue, dead_letter="graveyard")
            store.send(queue, queue=queue)
            store.reject(store.take(queue=queue), queue=queue)
        assert bodies(store.receive(queue="graveyard")) == ["one", "two"]
        assert store.stats("one").dead == store.stats("two").dead == 2

    def test_many_leases_that_end_together_dead_letter_together(self, store: Driver) -> None:
        """F5: each message is in one place."""
        store.create(max_attempts=1)
        sent = store.send(*[str(n) for n in range(100)])
        store.receive(100, lease=10)
        store.later(10)
        stats = store.stats()
        assert (stats.stored, stats.dead, stats.totals.dead) == (0, 100, 100)
        assert ids(store.browse(queue="q.dlq", limit=1_000)) == sent

"""Moving dead letters back to where they came from."""

import pytest

from crossdock.testing.driver import START, Driver, bodies, ids

from .base import Contract


class RedriveContract(Contract):
    def test_a_dead_letter_returns_as_it_was(self, store: Driver) -> None:
        store.create(max_attempts=1)
        [sent] = store.send("a", headers={"k": "v"}, priority=4, ordering_key="key")
        store.nack(store.take(), error="boom")
        store.later(100)
        assert store.redrive() == 1
        again = store.take()
        assert (again.id, again.attempt, again.message.headers) == (sent, 1, {"k": "v"})
        assert (again.message.body, again.message.priority, again.message.ordering_key) == (b"a", 4, "key")
        assert store.stats("q.dlq").stored == 0

    def test_headers_that_dead_lettering_added_are_all_gone(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        store.redrive()
        assert store.take().message.headers is None

    def test_it_is_due_now(self, store: Driver) -> None:
        store.create()
        store.send("dead")
        store.reject(store.take())
        store.later(10)
        store.send("sent before the redrive")
        store.later(10)
        store.redrive()
        assert bodies(store.receive()) == ["sent before the redrive", "dead"]

    def test_among_messages_due_at_the_same_time_its_old_id_counts(self, store: Driver) -> None:
        store.create()
        store.send("dead", "second")
        store.reject(store.take())
        store.redrive()
        assert bodies(store.receive()) == ["dead", "second"]

    def test_it_does_not_join_a_message_that_has_expired(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        store.send("a", ttl=100)
        store.reject(store.take())
        store.take("other", lease=1_000)
        store.later(100)
        assert store.redrive() == 0
        store.later(900)
        assert store.redrive() == 1
        assert bodies(store.receive()) == ["a"]

    def test_only_the_group_that_failed_it_gets_it_again(self, store: Driver) -> None:
        store.create()
        store.create_group()
        store.create_group("done with it")
        store.send("a")
        store.ack(store.take("done with it"), group="done with it")
        store.reject(store.take())
        store.redrive()
        assert store.receive(group="done with it") == []
        assert bodies(store.receive()) == ["a"]

    def test_the_group_joins_the_message_that_others_still_keep(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        [sent] = store.send("a")
        theirs = store.take("other")
        store.reject(store.take())
        assert store.redrive() == 1
        again = store.take()
        assert (again.id, again.attempt) == (sent, 1)
        assert store.stats().stored == 1
        assert store.ack(theirs, group="other") == {}
        assert store.ack(again) == {}
        assert store.stats().stored == 0

    def test_letters_of_two_groups_return_to_the_one_message(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        [sent] = store.send("a")
        store.reject(store.take())
        store.reject(store.take("other"), group="other")
        assert store.redrive() == 2
        assert (store.take().id, store.take("other").id) == (sent, sent)
        stats = store.stats()
        assert (stats.stored, stats.leased) == (1, 2)

    def test_the_letter_with_the_new_id_returns_to_its_old_one(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        [sent] = store.send("a")
        store.reject(store.take())
        store.reject(store.take("other"), group="other")
        [_, renamed] = ids(store.browse(queue="q.dlq"))
        assert store.redrive([renamed]) == 1
        assert store.take("other").id == sent
        assert ids(store.browse(queue="q.dlq")) == [sent]

    def test_it_may_be_redriven_by_id(self, store: Driver) -> None:
        store.create()
        sent = store.send("a", "b", "c")
        store.reject(*store.receive())
        assert store.redrive([sent[1], 999]) == 1
        assert bodies(store.receive()) == ["b"]
        assert ids(store.browse(queue="q.dlq")) == [sent[0], sent[2]]

    def test_every_letter_goes_to_its_own_origin(self, store: Driver) -> None:
        for queue in ("one", "two"):
            store.create(queue, dead_letter="graveyard")
            store.send(queue, queue=queue)
            store.reject(store.take(queue=queue), queue=queue)
        assert store.redrive(queue="graveyard") == 2
        assert bodies(store.receive(queue="one")) == ["one"]
        assert bodies(store.receive(queue="two")) == ["two"]

    def test_where_the_origin_group_is_gone_every_group_gets_it(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        store.delete_group()
        store.create_group("x")
        store.create_group("y")
        assert store.redrive() == 1
        assert bodies(store.receive(group="x")) == ["a"]
        assert bodies(store.receive(group="y")) == ["a"]

    def test_without_any_group_it_waits_for_one(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        store.delete_group()
        assert store.redrive() == 1
        assert store.stats().stored == 1
        assert bodies(store.receive(group="late")) == ["a"]

    def test_a_letter_without_an_origin_stays(self, store: Driver) -> None:
        store.create()
        store.send("dead")
        store.reject(store.take())
        store.send("an ordinary message", queue="q.dlq")
        store.delete()
        assert store.redrive() == 0
        assert bodies(store.browse(queue="q.dlq")) == ["dead", "an ordinary message"]

    def test_a_full_origin_leaves_the_letter_where_it_is(self, store: Driver) -> None:
        store.create(max_messages=2)
        store.send("a", "b")
        store.reject(*store.receive())
        store.send("newer")
        assert store.redrive() == 1
        stats = store.stats()
        assert (stats.stored, stats.dead) == (2, 1)
        store.delete_messages()
        assert store.redrive() == 1

    def test_an_origin_that_drops_its_oldest_makes_room(self, store: Driver) -> None:
        store.create(max_messages=1, overflow="drop-oldest")
        store.send("dead")
        store.reject(store.take())
        store.send("newer")
        assert store.redrive() == 1
        assert bodies(store.receive()) == ["dead"]
        assert store.stats().totals.dropped == 1

    def test_the_origins_default_ttl_begins_again(self, store: Driver) -> None:
        store.create(ttl=1_000)
        store.send("a")
        store.reject(store.take())
        store.later(5_000)
        store.redrive()
        [again] = store.browse()
        assert again.message.expires_at == START + 6_000
        store.later(1_000)
        assert store.receive() == []

    def test_a_leased_letter_is_its_consumers_until_the_lease_ends(self, store: Driver) -> None:
        store.create()
        store.send("a", "b")
        store.reject(*store.receive())
        store.take(queue="q.dlq", lease=100)
        assert store.redrive() == 1
        assert bodies(store.receive()) == ["b"]
        store.later(100)
        assert store.redrive() == 1
        assert bodies(store.receive()) == ["a"]

    def test_a_topic_without_groups_cannot_take_it(self, store: Driver) -> None:
        store.create(kind="topic")
        store.create_group()
        store.send("a")
        store.reject(store.take())
        store.delete_group()
        assert store.redrive() == 0
        assert store.stats().dead == 1

    def test_the_receipt_of_the_time_before_is_stale(self, store: Driver) -> None:
        """F1."""
        store.create()
        store.send("a")
        old = store.take()
        store.reject(old)
        store.redrive()
        new = store.take()
        assert store.ack(old) == {0: "lease_lost"}
        assert store.ack(new) == {}

    def test_it_counts_as_redriven_and_not_as_sent(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        store.redrive()
        assert store.stats("q.dlq").totals.redriven == 1
        totals = store.stats().totals
        assert (totals.sent, totals.dead, totals.redriven) == (1, 1, 0)

    @pytest.mark.parametrize(
        "forged",
        [
            {"x-origin-queue": "q", "x-attempts": "1", "x-origin-id": "zwölf"},
            {"x-origin-queue": "q", "x-attempts": "1", "x-origin-id": "0"},
            {"x-origin-queue": "q", "x-attempts": "1", "x-origin-id": str(10**15)},
            {"x-origin-queue": "q.dlq", "x-attempts": "1"},
            {"x-origin-queue": "nowhere", "x-attempts": "1"},
            {"x-origin-queue": "q"},
            {"x-attempts": "1"},
        ],
        ids=str,
    )
    def test_a_message_whose_headers_somebody_forged_stays(self, store: Driver, forged: dict[str, str]) -> None:
        store.create()
        store.create("q.dlq")
        store.send("x", queue="q.dlq", headers=forged)
        assert store.redrive() == 0
        assert bodies(store.receive(queue="q.dlq")) == ["x"]
        assert store.stats().stored == 0

"""Groups, the two kinds of queue, and when a message is gone."""

import pytest

from crossdock.core.errors import InvalidArgument, MessageNotFound
from crossdock.testing.driver import Driver, bodies, ids

from .base import Contract


class GroupsContract(Contract):
    def test_every_group_gets_every_message_once(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        store.send("1", "2")
        for group in ("a", "b"):
            got = store.receive(group=group)
            assert bodies(got) == ["1", "2"]
            assert store.ack(*got, group=group) == {}
            assert store.receive(group=group) == []

    def test_members_of_a_group_compete(self, store: Driver) -> None:
        store.create()
        store.send("1", "2", "3")
        assert bodies(store.receive(2, consumer="one")) == ["1", "2"]
        assert bodies(store.receive(2, consumer="two")) == ["3"]

    def test_a_message_that_every_group_is_done_with_is_gone(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        [message_id] = store.send("1")
        store.ack(store.take("a"), group="a")
        assert store.message(message_id).body == b"1"
        store.ack(store.take("b"), group="b")
        with pytest.raises(MessageNotFound):
            store.message(message_id)
        assert store.stats().stored == 0

    def test_a_queue_keeps_messages_while_it_has_no_group(self, store: Driver) -> None:
        store.create()
        store.send("1")
        assert store.stats().groups == {}
        assert bodies(store.receive(group="late")) == ["1"]

    def test_a_receive_creates_the_group(self, store: Driver) -> None:
        store.create()
        store.receive(group="new")
        assert list(store.stats().groups) == ["new"]
        assert store.create_group("new") is False

    def test_create_group_says_whether_it_did(self, store: Driver) -> None:
        """F38: creating twice is no error and changes nothing."""
        store.create()
        assert store.create_group() is True
        store.send("1")
        store.take()
        assert store.create_group() is False
        assert store.stats().leased == 1

    def test_a_late_group_starts_with_every_stored_message(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        store.send("settled by a", "leased by a", "untouched", "last")
        settled, _leased = store.receive(2, "a")
        store.ack(settled, group="a")
        store.send("nacked by a", priority=-1)
        store.nack(store.take("a"), group="a", delay=60_000)
        assert bodies(store.receive(group="late")) == [
            "nacked by a",
            "settled by a",
            "leased by a",
            "untouched",
            "last",
        ]

    def test_a_late_group_waits_for_delays_that_are_not_over(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.send("delayed", delay=50)
        assert store.receive(group="late") == []
        store.later(50)
        assert bodies(store.receive(group="late")) == ["delayed"]

    def test_a_late_group_does_not_get_what_has_expired(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        [sent] = store.send("held by a", ttl=100)
        held = store.take("a", lease=1_000)
        store.later(100)
        assert store.receive(group="late") == []
        assert store.message(sent).body == b"held by a"
        assert store.ack(held, group="a") == {}
        assert store.stats().stored == 0

    def test_an_expired_message_goes_with_the_group_that_held_it(self, store: Driver) -> None:
        store.create()
        store.send("held", ttl=100)
        store.take(lease=1_000)
        store.later(100)
        store.delete_group()
        stats = store.stats()
        assert (stats.stored, stats.totals.expired) == (0, 1)

    def test_a_late_group_counts_its_own_attempts(self, store: Driver) -> None:
        store.create()
        store.send("1")
        store.nack(store.take("a"), group="a", delay=0)
        assert store.take("a").attempt == 2
        assert store.take("late").attempt == 1

    def test_a_late_group_gets_nothing_that_is_gone(self, store: Driver) -> None:
        store.create()
        store.send("1")
        store.ack(store.take("a"), group="a")
        assert store.receive(group="late") == []

    def test_a_topic_hands_to_the_groups_that_exist(self, store: Driver) -> None:
        store.create(kind="topic")
        store.create_group("a")
        store.send("1")
        store.create_group("late")
        store.send("2")
        assert bodies(store.receive(group="a")) == ["1", "2"]
        assert bodies(store.receive(group="late")) == ["2"]

    def test_a_topic_without_groups_accepts_and_keeps_nothing(self, store: Driver) -> None:
        store.create(kind="topic")
        assert store.send("1") == [1]
        assert store.stats().stored == 0
        assert store.receive(group="late") == []

    def test_a_receive_from_a_topic_subscribes(self, store: Driver) -> None:
        store.create(kind="topic")
        assert store.receive() == []
        store.send("1")
        assert bodies(store.receive()) == ["1"]

    def test_the_kind_of_a_queue_never_changes(self, store: Driver) -> None:
        store.create()
        for change in (store.create, store.update):
            with pytest.raises(InvalidArgument) as refusal:
                change(kind="topic")
            assert refusal.value.field == "kind"
        assert store.stats().settings.kind == "queue"

    def test_deleting_a_group_lets_go_of_what_no_other_waits_for(self, store: Driver) -> None:
        store.create()
        store.create_group("stays")
        store.create_group("goes")
        [settled, waiting] = store.send("settled", "waiting")
        store.ack(store.take("stays"), group="stays")
        assert store.delete_group("goes") is True
        with pytest.raises(MessageNotFound):
            store.message(settled)
        assert ids(store.browse("stays")) == [waiting]
        assert store.stats().stored == 1

    def test_deleting_the_last_group_of_a_queue_keeps_its_messages(self, store: Driver) -> None:
        store.create()
        store.send("done", "leased", "ready")
        done, _leased = store.receive(2)
        store.ack(done)
        assert store.delete_group() is True
        stats = store.stats()
        assert (stats.stored, stats.ready, stats.groups) == (2, 2, {})
        assert bodies(store.receive(group="next")) == ["leased", "ready"]

    def test_deleting_the_last_group_of_a_topic_empties_it(self, store: Driver) -> None:
        store.create(kind="topic")
        store.create_group()
        store.send("1")
        store.delete_group()
        assert store.stats().stored == 0

    def test_deleting_a_group_that_is_not_there_says_so(self, store: Driver) -> None:
        store.create()
        assert store.delete_group() is False

    def test_a_group_created_again_shares_nothing_with_the_old_one(self, store: Driver) -> None:
        """F38: the receipts of a deleted group are stale for its successor too."""
        store.create()
        store.send("1")
        old = store.take()
        store.delete_group()
        store.create_group()
        assert store.ack(old) == {0: "lease_lost"}
        new = store.take()
        assert new.attempt == 1
        assert store.ack(old) == {0: "lease_lost"}
        assert store.ack(new) == {}

"""Deleting messages by id and purging a queue."""

import pytest

from crossdock.core.errors import MessageNotFound
from crossdock.testing.driver import Driver, bodies, ids

from .base import Contract


class RemovalContract(Contract):
    def test_messages_go_by_id_for_every_group(self, store: Driver) -> None:
        store.create()
        store.create_group("a")
        store.create_group("b")
        sent = store.send("1", "2", "3")
        assert store.delete_messages([sent[0], sent[2], 999]) == 2
        assert ids(store.browse("a")) == ids(store.browse("b")) == [sent[1]]
        with pytest.raises(MessageNotFound):
            store.message(sent[0])

    def test_an_id_named_twice_counts_once(self, store: Driver) -> None:
        store.create()
        [sent] = store.send("a")
        assert store.delete_messages([sent, sent]) == 1
        assert store.stats().totals.purged == 1

    def test_none_means_all(self, store: Driver) -> None:
        store.create()
        store.send("ready", "leased")
        store.send("delayed", delay=1_000)
        store.take()
        assert store.delete_messages() == 3
        stats = store.stats()
        assert (stats.stored, stats.bytes, stats.leased, stats.totals.purged) == (0, 0, 0, 3)
        assert store.delete_messages() == 0

    def test_no_ids_delete_nothing(self, store: Driver) -> None:
        store.create()
        store.send("a")
        assert store.delete_messages([]) == 0
        assert store.stats().stored == 1

    def test_a_leased_message_goes_and_its_receipt_with_it(self, store: Driver) -> None:
        """F38."""
        store.create()
        store.send("a")
        held = store.take()
        store.delete_messages()
        assert store.ack(held) == {0: "message_not_found"}
        assert store.nack(held) == {0: "message_not_found"}
        assert store.extend(held, lease=10) == {0: "message_not_found"}

    def test_nothing_of_it_comes_back(self, store: Driver) -> None:
        store.create()
        store.send("leased")
        store.send("delayed", delay=10)
        store.take(lease=10)
        store.delete_messages()
        store.later(10)
        assert store.receive() == []
        assert store.stats("q").totals.returned == 0

    def test_messages_of_another_queue_stay(self, store: Driver) -> None:
        store.create()
        store.create("other")
        [sent] = store.send("a", queue="other")
        assert store.delete_messages([sent]) == 0
        assert store.delete_messages() == 0
        assert bodies(store.receive(queue="other")) == ["a"]

    def test_groups_and_settings_stay(self, store: Driver) -> None:
        store.create(kind="topic", ttl=5)
        store.create_group()
        store.send("a")
        store.delete_messages()
        assert store.stats().settings.ttl == 5
        store.send("b")
        assert bodies(store.receive()) == ["b"]

    def test_it_makes_room(self, store: Driver) -> None:
        store.create(max_bytes=3)
        store.send("abc")
        store.delete_messages()
        assert store.send("def") == [2]

"""Looking without touching: peek, browse, a single message."""

import pytest

from crossdock.core.errors import MessageNotFound
from crossdock.testing.driver import START, Driver, bodies, ids

from .base import Contract


class PeekContract(Contract):
    def test_it_shows_what_a_receive_would_get_in_its_order(self, store: Driver) -> None:
        store.create()
        store.send("b")
        store.send("a", priority=-1)
        store.send("c")
        store.send("delayed", delay=1_000)
        assert bodies(store.peek()) == ["a", "b", "c"]
        assert bodies(store.peek(limit=2)) == ["a", "b"]
        assert bodies(store.receive()) == ["a", "b", "c"]

    def test_it_changes_nothing(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.peek()
        stats = store.stats()
        assert (stats.groups, stats.totals.delivered) == ({}, 0)
        assert store.take().attempt == 1

    def test_it_passes_over_leased_messages(self, store: Driver) -> None:
        store.create()
        store.send("a", "b")
        store.take()
        assert bodies(store.peek()) == ["b"]

    def test_a_group_that_does_not_exist_yet_would_get_every_stored_message(self, store: Driver) -> None:
        store.create()
        store.create_group()
        store.send("a")
        store.take()
        assert bodies(store.peek("late")) == ["a"]

    def test_a_group_that_does_not_exist_yet_would_get_one_message_of_each_key(self, store: Driver) -> None:
        store.create()
        store.send("a1", "a2", "a3", ordering_key="a")
        store.send("b1", "b2", ordering_key="b")
        store.send("free")
        store.send("c1", ordering_key="c", priority=-1)
        assert bodies(store.peek(limit=3)) == ["c1", "a1", "b1"]
        assert bodies(store.peek()) == ["c1", "a1", "b1", "free"]
        assert bodies(store.receive()) == ["c1", "a1", "b1", "free"]

    def test_it_tells_where_the_message_stands(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.nack(store.take(), delay=0, error="boom")
        [seen] = store.peek()
        assert (seen.state, seen.attempts, seen.due, seen.error) == ("ready", 1, 0, "boom")


class BrowseContract(Contract):
    def test_it_shows_every_state_by_id(self, store: Driver) -> None:
        store.create()
        store.send("leased")
        store.send("nacked")
        store.send("ready", priority=-5)
        store.send("delayed", delay=700)
        store.send("done", priority=-6)
        done, _ready = store.receive(2)
        leased, nacked = store.receive(consumer="worker")
        store.ack(done)
        store.nack(_ready, delay=0)
        store.nack(nacked, delay=500, error="boom")
        seen = store.browse()
        assert [(s.message.body.decode(), s.state, s.due, s.attempts) for s in seen] == [
            ("leased", "leased", leased.lease_until, 1),
            ("nacked", "delayed", START + 500, 1),
            ("ready", "ready", 0, 1),
            ("delayed", "delayed", START + 700, 0),
        ]
        assert (seen[0].consumer, seen[1].consumer, seen[1].error) == ("worker", "", "boom")

    def test_it_goes_on_from_an_id_either_way(self, store: Driver) -> None:
        store.create()
        sent = store.send("a", "b", "c", "d", "e")
        assert ids(store.browse(limit=2)) == sent[:2]
        assert ids(store.browse(limit=2, after=sent[1])) == sent[2:4]
        assert ids(store.browse(after=sent[4])) == []
        assert ids(store.browse(limit=2, descending=True)) == [sent[4], sent[3]]
        assert ids(store.browse(limit=2, after=sent[3], descending=True)) == [sent[2], sent[1]]
        assert ids(store.browse(after=sent[0], descending=True)) == []

    def test_it_goes_on_from_an_id_that_never_will_be(self, store: Driver) -> None:
        store.create()
        sent = store.send("a", "b")
        store.send("apart", priority=1)
        for never in (2**45, 2**62, 2**63 - 1):
            assert ids(store.browse(after=never)) == []
            assert ids(store.browse(after=never, limit=2, descending=True)) == [sent[1] + 1, sent[1]]

    def test_it_goes_on_from_an_id_that_is_gone(self, store: Driver) -> None:
        store.create()
        sent = store.send("a", "b", "c")
        store.delete_messages([sent[1]])
        assert ids(store.browse(after=sent[1])) == [sent[2]]

    def test_it_may_be_limited_to_one_state(self, store: Driver) -> None:
        store.create()
        store.send("delayed", delay=100)
        store.send("leased", "ready")
        store.take()
        assert bodies(store.browse(state="delayed")) == ["delayed"]
        assert bodies(store.browse(state="leased")) == ["leased"]
        assert bodies(store.browse(state="ready")) == ["ready"]
        assert bodies(store.browse(state="ready", after=3)) == []

    def test_the_limit_counts_messages_of_the_state_asked_for(self, store: Driver) -> None:
        store.create()
        store.send("delayed", delay=100)
        store.send("ready")
        assert bodies(store.browse(state="ready", limit=1)) == ["ready"]

    def test_it_shows_only_what_the_group_is_not_done_with(self, store: Driver) -> None:
        store.create()
        store.create_group("other")
        store.send("a", "b")
        store.ack(store.take())
        assert bodies(store.browse()) == ["b"]
        assert bodies(store.browse("other")) == ["a", "b"]

    def test_a_group_that_does_not_exist_is_not_created(self, store: Driver) -> None:
        store.create()
        store.send("a")
        assert bodies(store.browse("nobody")) == ["a"]
        assert store.stats().groups == {}


class MessageContract(Contract):
    def test_a_stored_message_is_found_in_any_state(self, store: Driver) -> None:
        store.create()
        sent = store.send("leased", "ready")
        sent += store.send("delayed", delay=1_000)
        store.take()
        assert [store.message(message_id).body for message_id in sent] == [b"leased", b"ready", b"delayed"]

    def test_it_is_found_in_its_own_queue_alone(self, store: Driver) -> None:
        store.create()
        store.create("other")
        [sent] = store.send("a")
        with pytest.raises(MessageNotFound) as refusal:
            store.message(sent, "other")
        assert refusal.value.message_id == sent

    def test_a_body_of_any_bytes_comes_back_unchanged(self, store: Driver) -> None:
        store.create()
        headers = {"naïve": "\x00 ünï\U0001f4e6", "empty": ""}
        [sent] = store.send("", headers=headers, ordering_key="ключ")
        kept = store.message(sent)
        assert (kept.body, kept.headers, kept.ordering_key) == (b"", headers, "ключ")

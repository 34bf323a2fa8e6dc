"""Creating, finding and deleting queues; namespaces; what every verb says of a queue that is not there."""

from collections.abc import Callable
from typing import Any

import pytest

from crossdock.core.errors import InvalidArgument, QueueNotFound
from crossdock.core.model import Receipt, Settings
from crossdock.testing.driver import START, Driver, bodies

from .base import Contract

_RECEIPT = Receipt(1, 1, 1)

VERBS_OF_A_QUEUE: dict[str, Callable[[Driver], object]] = {
    "update_queue": lambda store: store.update("gone"),
    "delete_queue": lambda store: store.delete("gone"),
    "stats": lambda store: store.stats("gone"),
    "create_group": lambda store: store.create_group("g", "gone"),
    "delete_group": lambda store: store.delete_group("g", "gone"),
    "send": lambda store: store.send("a", queue="gone"),
    "receive": lambda store: store.receive(queue="gone"),
    "ack": lambda store: store.ack(_RECEIPT, queue="gone"),
    "nack": lambda store: store.nack(_RECEIPT, queue="gone"),
    "reject": lambda store: store.reject(_RECEIPT, queue="gone"),
    "extend": lambda store: store.extend(_RECEIPT, queue="gone", lease=1),
    "peek": lambda store: store.peek(queue="gone"),
    "browse": lambda store: store.browse(queue="gone"),
    "message": lambda store: store.message(1, "gone"),
    "delete_messages": lambda store: store.delete_messages(queue="gone"),
    "redrive": lambda store: store.redrive(queue="gone"),
}


class QueuesContract(Contract):
    @pytest.mark.parametrize("verb", VERBS_OF_A_QUEUE)
    def test_a_queue_that_does_not_exist_is_named(self, store: Driver, verb: str) -> None:
        store.create()
        with pytest.raises(QueueNotFound) as refusal:
            VERBS_OF_A_QUEUE[verb](store)
        assert refusal.value.name == "gone"
        assert store.queues() == [("default", "q")]

    def test_creating_twice_changes_nothing(self, store: Driver) -> None:
        """F38."""
        assert store.create(ttl=5) is True
        store.send("a")
        assert store.create(ttl=99) is False
        stats = store.stats()
        assert (stats.settings.ttl, stats.stored) == (5, 1)

    def test_queues_are_listed_by_name(self, store: Driver) -> None:
        for name in ("b", "a.dlq", "a", "C"):
            store.create(name)
        store.create("a", namespace="other")
        assert store.queues("default") == [("default", name) for name in ("C", "a", "a.dlq", "b")]
        assert store.queues("other") == [("other", "a")]
        assert store.queues("nobody") == []
        assert store.queues(None) == [*store.queues("default"), ("other", "a")]

    def test_a_namespace_is_a_world_of_its_own(self, store: Driver) -> None:
        store.create()
        store.create(namespace="other", max_messages=1)
        store.send("here", dedup_id="once", queue="q")
        assert store.receive(namespace="other") == []
        assert (store.stats().stored, store.stats(namespace="other").stored) == (1, 0)

    def test_deleting_takes_everything(self, store: Driver) -> None:
        """F38: a queue created later under the name shares nothing with the old one."""
        store.create(max_attempts=9)
        store.create_group("old group")
        store.send("a", dedup_id="once")
        store.take()
        store.delete()
        with pytest.raises(QueueNotFound):
            store.stats()
        store.create()
        stats = store.stats()
        assert (stats.stored, stats.groups, stats.settings) == (0, {}, Settings())
        assert (stats.totals.sent, stats.totals.delivered) == (0, 0)
        store.send("another body", dedup_id="once")
        assert bodies(store.receive()) == ["another body"]

    def test_receipts_of_a_deleted_queue_are_void_for_ever(self, store: Driver) -> None:
        """F38: deleted with a message in flight."""
        store.create()
        store.send("a")
        old = store.take()
        store.delete()
        store.create()
        store.send("b")
        new = store.take()
        for verb in (store.ack, store.nack, store.reject):
            assert verb(old) == {0: "message_not_found"}
        assert store.extend(old, lease=10) == {0: "message_not_found"}
        assert store.ack(new) == {}

    def test_nothing_of_a_deleted_queue_comes_due(self, store: Driver) -> None:
        store.create(max_attempts=1)
        store.send("leased", "delayed", delay=5)
        store.send("expiring", ttl=20, dedup_id="once")
        store.later(5)
        store.receive(lease=10)
        store.delete()
        store.create()
        store.later(100)
        tick = store.tick()
        assert (tick.ready, store.queues(), store.stats().stored) == ([], [("default", "q")], 0)

    def test_the_dead_letter_queue_outlives_its_origin(self, store: Driver) -> None:
        store.create()
        store.send("a")
        store.reject(store.take())
        store.delete()
        assert bodies(store.receive(queue="q.dlq")) == ["a"]


class SettingsContract(Contract):
    def test_stats_tell_the_settings_as_given(self, store: Driver) -> None:
        given: dict[str, Any] = {
            "kind": "topic",
            "lease": 7,
            "max_attempts": 4,
            "backoff": 9,
            "ttl": 1_000,
            "dead_letter": "x",
            "dead_letter_expired": True,
            "dedup_window": 11,
            "max_messages": 12,
            "max_bytes": 13,
            "overflow": "drop-oldest",
        }
        store.create(**given)
        assert store.stats().settings == Settings(**given)

    def test_an_update_replaces_all_settings(self, store: Driver) -> None:
        store.create(ttl=5, max_attempts=7)
        store.update(max_attempts=8)
        assert store.stats().settings == Settings(max_attempts=8)

    def test_leases_delays_and_ends_already_given_stay(self, store: Driver) -> None:
        store.create(ttl=5_000, backoff=1_000)
        store.send("nacked", "leased")
        nacked, leased = store.receive(lease=2_000)
        store.nack(nacked)
        store.update(ttl=1, backoff=1, lease=1)
        store.later(999)
        assert [(seen.state, seen.due) for seen in store.browse()] == [
            ("delayed", START + 1_000),
            ("leased", leased.lease_until),
        ]
        assert store.message(nacked.id).expires_at == START + 5_000

    def test_new_settings_hold_from_then_on(self, store: Driver) -> None:
        store.create(backoff=1_000)
        store.send("a")
        store.update(backoff=10, ttl=50, max_attempts=2)
        store.nack(store.take())
        assert store.browse()[0].due == START + 10
        [later] = store.send("b")
        assert store.message(later).expires_at == START + 50
        store.later(10)
        store.nack(*store.receive(), delay=0)
        assert store.stats().totals.dead == 1

    def test_a_lower_attempt_limit_holds_for_messages_already_tried(self, store: Driver) -> None:
        store.create(max_attempts=10)
        store.send("a")
        for _ in range(3):
            store.nack(store.take(), delay=0)
        store.update(max_attempts=2)
        store.nack(store.take(), delay=0)
        assert store.stats().totals.dead == 1

    def test_a_dead_letter_cycle_is_refused(self, store: Driver) -> None:
        """F6."""
        store.create("a", dead_letter="b")
        store.create("b", dead_letter="c")
        with pytest.raises(InvalidArgument) as refusal:
            store.create("c", dead_letter="a")
        assert refusal.value.field == "dead_letter"
        assert ("default", "c") not in store.queues()
        store.create("c")
        with pytest.raises(InvalidArgument):
            store.update("c", dead_letter="a")
        assert store.stats("c").settings == Settings()

    def test_a_queue_is_no_dead_letter_queue_of_its_own(self, store: Driver) -> None:
        """F6."""
        with pytest.raises(InvalidArgument):
            store.create("a", dead_letter="a")
        assert store.queues() == []

    def test_a_cycle_through_a_queue_that_does_not_exist_yet_is_refused(self, store: Driver) -> None:
        """F6: the default settings of the missing queue count."""
        store.create("a")
        with pytest.raises(InvalidArgument):
            store.create("a.dlq", dead_letter="a")

    def test_default_settings_may_close_a_cycle_too(self, store: Driver) -> None:
        """F6."""
        store.create("a", dead_letter="")
        store.create("a.dlq", dead_letter="a")
        store.delete("a")
        with pytest.raises(InvalidArgument):
            store.create("a")
        assert store.queues() == [("default", "a.dlq")]


class PauseContract(Contract):
    def test_a_paused_queue_accepts_and_hands_nothing_out(self, store: Driver) -> None:
        store.create()
        store.update(paused=True)
        store.send("a")
        assert store.receive() == []
        assert store.receive(auto_ack=True) == []
        assert store.stats().ready == 1
        store.update(paused=False)
        assert bodies(store.receive()) == ["a"]

    def test_leases_acks_and_expiry_go_on(self, store: Driver) -> None:
        store.create()
        store.send("acked", "returned")
        store.send("expiring", ttl=50)
        acked, _returned = store.receive(2, lease=100)
        store.update(paused=True)
        assert store.ack(acked) == {}
        store.later(100)
        stats = store.stats()
        assert (stats.stored, stats.ready, stats.totals.returned, stats.totals.expired) == (1, 1, 1, 1)

    def test_a_paused_queue_still_takes_dead_letters(self, store: Driver) -> None:
        store.create()
        store.create("q.dlq", paused=True)
        store.send("a")
        store.reject(store.take())
        assert store.stats().dead == 1

    def test_a_paused_topic_subscribes_and_keeps(self, store: Driver) -> None:
        store.create(kind="topic", paused=True)
        assert store.receive() == []
        store.send("a")
        store.update(kind="topic")
        assert bodies(store.receive()) == ["a"]

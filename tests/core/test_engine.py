"""What the contract suite cannot see of the engine: its memory and its timers."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from crossdock.core.engine import Engine
from crossdock.core.errors import QueueFull
from crossdock.core.limits import LEASE_MS_MAX
from crossdock.core.model import Address, Delivery, Message, Settings

NOW = 1_000_000
Q: Address = ("default", "q")
DLQ: Address = ("default", "q.dlq")


@pytest.fixture
def engine() -> Engine:
    engine = Engine()
    engine.create_queue(Q, Settings(), NOW)
    engine.create_group(Q, "g", NOW)
    return engine


def take(engine: Engine, limit: int = 1_000, now: int = NOW, lease: int = 30_000) -> list[Delivery]:
    return engine.receive(Q, "g", limit, lease, now)


def grown(work: Callable[[], object]) -> int:
    """Bytes that are held after `work` and were not before."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


# Memory follows what is stored


def churn_acked(engine: Engine) -> None:
    for _ in range(50):
        engine.send(Q, [Message(bytes(1_000)) for _ in range(100)], NOW)
        engine.ack(Q, "g", take(engine), NOW)


def churn_acked_out_of_order(engine: Engine) -> None:
    for number in range(50):
        engine.send(Q, [Message(bytes(1_000), priority=-number) for _ in range(100)], NOW)
        taken = take(engine, lease=LEASE_MS_MAX - number)
        engine.ack(Q, "g", taken[::-1], NOW)


def churn_extended(engine: Engine) -> None:
    engine.send(Q, [Message(bytes(1_000)) for _ in range(100)], NOW)
    taken = take(engine)
    for number in range(50):
        engine.extend(Q, "g", taken, LEASE_MS_MAX - number, NOW)
    engine.ack(Q, "g", taken, NOW)


def churn_nacked(engine: Engine) -> None:
    engine.update_queue(Q, Settings(max_attempts=0), NOW)
    engine.send(Q, [Message(bytes(1_000)) for _ in range(100)], NOW)
    for _ in range(50):
        engine.nack(Q, "g", take(engine), NOW, 0.0, 0, "it did not work")
    engine.ack(Q, "g", take(engine), NOW)


def churn_deleted_while_waiting(engine: Engine) -> None:
    for number in range(50):
        options = ({}, {"delay": 10**9 - number}, {"priority": 5}, {"ttl": 10**9 - number}, {"ordering_key": "k"})
        for fields in options:
            ids = engine.send(Q, [Message(bytes(1_000), **fields) for _ in range(20)], NOW).ids  # type: ignore[arg-type]
            engine.delete_messages(Q, ids, NOW)


def churn_parked(engine: Engine) -> None:
    """One message holds a key for hours while others of the key come, are parked, and expire."""
    engine.send(Q, [Message(b"holder", ordering_key="k")], NOW)
    holder = take(engine, lease=LEASE_MS_MAX)
    for number in range(50):
        engine.send(Q, [Message(bytes(1_000), ordering_key="k", ttl=5) for _ in range(100)], NOW + 10 * number)
        assert take(engine, now=NOW + 10 * number) == []
    engine.tick(NOW + 10_000)
    assert engine.stats(Q, NOW).stored == 1
    engine.extend(Q, "g", holder, LEASE_MS_MAX, NOW)


def churn_dropped(engine: Engine) -> None:
    engine.update_queue(Q, Settings(max_messages=100, overflow="drop-oldest"), NOW)
    for _ in range(50):
        engine.send(Q, [Message(bytes(1_000)) for _ in range(100)], NOW)
        engine.ack(Q, "g", take(engine, 50), NOW)
    engine.delete_messages(Q, None, NOW)


def churn_without_groups(engine: Engine) -> None:
    engine.delete_group(Q, "g", NOW)
    for _ in range(50):
        engine.send(Q, [Message(bytes(1_000), ttl=60_000) for _ in range(100)], NOW)
        engine.delete_messages(Q, None, NOW)


CHURNS = [
    churn_acked,
    churn_acked_out_of_order,
    churn_extended,
    churn_nacked,
    churn_deleted_while_waiting,
    churn_parked,
    churn_dropped,
    churn_without_groups,
]


@pytest.mark.parametrize("churn", CHURNS, ids=lambda churn: churn.__name__)
def test_what_is_done_is_not_kept(engine: Engine, churn: Callable[[Engine], None]) -> None:
    def work() -> None:
        churn(engine)
        take(engine)  # The next look of a consumer clears the last leases away.

    assert grown(work) < 600_000, "5,000 messages of 1,000 bytes went through"


def test_a_deleted_queue_is_gone_from_memory_at_once(engine: Engine) -> None:
    def work() -> None:
        for number in range(20):
            engine.create_queue(("default", "other"), Settings(), NOW)
            engine.create_group(("default", "other"), "g", NOW)
            messages = [Message(bytes(1_000), delay=10**10, ttl=10**11 + number) for _ in range(100)]
            engine.send(("default", "other"), [*messages, Message(b"now")], NOW)
            engine.receive(("default", "other"), "g", 1, LEASE_MS_MAX, NOW)
            engine.delete_queue(("default", "other"), NOW)

    assert grown(work) < 200_000


def test_a_deleted_group_is_gone_from_memory_at_once(engine: Engine) -> None:
    def work() -> None:
        for number in range(20):
            engine.create_group(Q, f"g{number}", NOW)
            engine.send(Q, [Message(bytes(1_000), delay=10**10) for _ in range(100)], NOW)
            engine.delete_messages(Q, None, NOW)
            engine.delete_group(Q, f"g{number}", NOW)

    assert grown(work) < 200_000


def test_timers_do_not_pile_up_behind_a_distant_one(engine: Engine) -> None:
    engine.send(Q, [Message(b"next year", delay=366 * 24 * 3600 * 1000)], NOW)

    def work() -> None:
        for now in range(NOW, NOW + 20_000, 10):
            engine.send(Q, [Message(b"soon", delay=5)], now)
            engine.tick(now + 5)
            (soon,) = take(engine, now=now + 5)
            engine.ack(Q, "g", [soon], now + 5)

    assert grown(work) < 50_000


# Order where messages arrive from elsewhere


def test_dead_letters_of_one_moment_come_in_order_of_id(engine: Engine) -> None:
    engine.update_queue(Q, Settings(max_attempts=1), NOW)
    engine.create_queue(DLQ, Settings(), NOW)
    engine.create_group(DLQ, "g", NOW)
    ids = engine.send(Q, [Message(b"x") for _ in range(4)], NOW).ids
    take(engine, 1, lease=40_000)
    take(engine, 3, lease=20_000)
    engine.tick(NOW + 50_000)
    dead = engine.receive(DLQ, "g", 10, 1_000, NOW + 50_000)
    assert [delivery.id for delivery in dead] == ids


def test_redriven_messages_come_before_younger_ones_of_the_same_moment(engine: Engine) -> None:
    (old,) = engine.send(Q, [Message(b"old")], NOW).ids
    engine.reject(Q, "g", take(engine), NOW)
    (young,) = engine.send(Q, [Message(b"young")], NOW).ids
    assert engine.redrive(DLQ, None, NOW) == 1
    assert [delivery.id for delivery in take(engine)] == [old, young]


# Bounds


@pytest.fixture
def dropping(engine: Engine) -> Engine:
    engine.update_queue(Q, Settings(max_messages=3, overflow="drop-oldest", max_attempts=0), NOW)
    return engine


def bodies(engine: Engine) -> list[str]:
    return [look.message.body.decode() for look in engine.browse(Q, "g", 100, NOW)]


def send(engine: Engine, *names: str) -> None:
    engine.send(Q, [Message(name.encode()) for name in names], NOW)


def test_a_leased_message_is_spared_and_dropped_once_its_lease_ended(dropping: Engine) -> None:
    send(dropping, "a", "b", "c")
    (leased,) = take(dropping, 1)
    send(dropping, "d")
    assert bodies(dropping) == ["a", "c", "d"]
    dropping.nack(Q, "g", [leased], NOW, 0.0, 0)
    send(dropping, "e")
    assert bodies(dropping) == ["c", "d", "e"]


def test_a_message_spared_for_one_group_is_dropped_when_that_group_is_done(dropping: Engine) -> None:
    dropping.create_group(Q, "other", NOW)
    send(dropping, "a", "b", "c")
    leased = take(dropping, 1)
    send(dropping, "d")
    assert bodies(dropping) == ["a", "c", "d"]
    dropping.ack(Q, "g", leased, NOW)
    send(dropping, "e")
    assert [look.message.body for look in dropping.browse(Q, "other", 9, NOW)] == [b"c", b"d", b"e"]


def test_a_message_spared_for_a_group_is_dropped_when_the_group_is_gone(dropping: Engine) -> None:
    send(dropping, "a", "b", "c")
    take(dropping, 1)
    send(dropping, "d")
    dropping.delete_group(Q, "g", NOW)
    send(dropping, "e")
    assert bodies(dropping) == ["c", "d", "e"]


def test_when_everything_is_leased_the_queue_is_full_and_nothing_changes(dropping: Engine) -> None:
    send(dropping, "a", "b", "c")
    take(dropping, 2)
    with pytest.raises(QueueFull, match="queue 'q' is full: its bound is 3 messages"):
        send(dropping, "d", "e")
    assert bodies(dropping) == ["a", "b", "c"]
    send(dropping, "d")
    assert bodies(dropping) == ["a", "b", "d"]


def test_a_duplicate_needs_no_room(engine: Engine) -> None:
    engine.send(Q, [Message(b"x", dedup_id="one"), Message(b"y")], NOW)
    engine.update_queue(Q, Settings(max_messages=1), NOW)
    assert engine.send(Q, [Message(b"x", dedup_id="one")], NOW).duplicates == [0]
    with pytest.raises(QueueFull):
        engine.send(Q, [Message(b"z", dedup_id="two")], NOW)

"""The blocking Python API, over the stores that live in this process."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import crossdock
from crossdock import (
    Connection,
    DedupConflict,
    Delivery,
    InvalidArgument,
    LeaseLost,
    Message,
    MessageExpired,
    MessageNotFound,
    Queue,
    QueueClosed,
    QueueFull,
    QueueNotFound,
    StoreUnavailable,
)

PATIENCE = 30.0
"""Seconds after which a thread counts as hanging. Never waited for when all is well."""


@pytest.fixture
def mq(url: str) -> Iterator[Connection]:
    with crossdock.connect(url) as connection:
        yield connection


@pytest.fixture
def orders(mq: Connection) -> Queue:
    return mq.queue("orders", backoff=0)


def texts(deliveries: list[Delivery]) -> list[str]:
    return [delivery.text() for delivery in deliveries]


def one(queue: Queue, **options: Any) -> Delivery:
    (delivery,) = queue.receive(**options)
    return delivery


# Sending and receiving


def test_a_message_there_and_back(orders: Queue) -> None:
    sent = orders.send({"order": 42}, priority=3, ordering_key="k", headers={"trace": "1"})
    delivery = one(orders, consumer="me", lease="10s")
    assert (delivery.id, delivery.json(), delivery.body, delivery.text()) == (
        sent,
        {"order": 42},
        b'{"order":42}',
        '{"order":42}',
    )
    assert (delivery.priority, delivery.ordering_key, delivery.headers) == (3, "k", {"trace": "1"})
    assert delivery.attempt == 1
    assert delivery.lease_until == pytest.approx(delivery.enqueued_at + 10, abs=5)
    assert len(delivery.receipt.split(".")) == 3
    delivery.ack()
    assert orders.receive() == []


def test_a_message_without_headers_has_none(orders: Queue) -> None:
    orders.send(b"x")
    assert one(orders).headers == {}


def test_send_many_takes_bodies_and_messages(orders: Queue) -> None:
    ids = orders.send_many([b"bytes", "text", {"json": 1}, Message("first", priority=-1)])
    assert ids == sorted(ids)
    assert texts(orders.receive(10)) == ["first", "bytes", "text", '{"json":1}']


def test_send_many_takes_any_iterable_and_all_or_none(orders: Queue) -> None:
    assert len(orders.send_many(str(number) for number in range(3))) == 3
    with pytest.raises(InvalidArgument, match="priority must be a whole number"):
        orders.send_many([b"a", Message(b"b", priority=10**6)])
    with pytest.raises(InvalidArgument, match="messages must have 1 to 1000 elements"):
        orders.send_many([])
    assert orders.stats().stored == 3


def test_delay_at_and_ttl(orders: Queue) -> None:
    orders.send(b"later", delay="1h")
    orders.send(b"much later", at=datetime.now(UTC) + timedelta(days=1))
    orders.send(b"now", at=datetime(2000, 1, 1, tzinfo=UTC), ttl=60)
    assert texts(orders.receive(10)) == ["now"]
    assert orders.stats().delayed == 2
    with pytest.raises(InvalidArgument, match="at cannot be combined with delay"):
        orders.send(b"x", delay=1, at=datetime.now(UTC))
    with pytest.raises(MessageExpired, match="ttl of 1000 ms ends before the message is due"):
        orders.send(b"x", delay=2, ttl=1)


def test_a_duplicate_gets_the_id_of_the_first(orders: Queue) -> None:
    first = orders.send(b"x", dedup_id="order-42")
    assert orders.send(b"x", dedup_id="order-42") == first
    assert orders.send_many([Message(b"y"), Message(b"x", dedup_id="order-42")])[1] == first
    with pytest.raises(DedupConflict, match="dedup_id was used for a message with another body, got 'order-42'"):
        orders.send(b"z", dedup_id="order-42")
    assert orders.stats().stored == 2


def test_max_messages_and_modes(orders: Queue) -> None:
    orders.send_many("abc")
    assert texts(orders.receive(2, mode="at-most-once")) == ["a", "b"]
    assert orders.stats().stored == 1
    with pytest.raises(InvalidArgument, match="mode must be one of at-most-once, at-least-once, got 'exactly-once'"):
        orders.receive(mode="exactly-once")
    with pytest.raises(InvalidArgument, match="limit must be a whole number from 1 to 1000, got 0"):
        orders.receive(0)


@pytest.mark.parametrize("lease", [0, "0s", -1, "x", "13h"])
def test_a_lease_that_makes_no_sense_names_itself(orders: Queue, lease: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"^lease must be"):
        orders.receive(lease=lease)


def test_a_wait_ends_empty(orders: Queue) -> None:
    assert orders.receive(wait=0.001) == []
    assert orders.receive(wait=timedelta(milliseconds=1)) == []
    with pytest.raises(InvalidArgument, match=r"^wait must be"):
        orders.receive(wait="61m")


def test_a_send_from_another_thread_ends_the_wait(orders: Queue) -> None:
    orders.create()
    sender = threading.Thread(target=orders.send, args=("x",), daemon=True)
    sender.start()
    assert texts(orders.receive(wait=PATIENCE)) == ["x"]
    sender.join(PATIENCE)


# Answers


def test_nack_reject_and_extend(mq: Connection, orders: Queue) -> None:
    orders.send(b"x")
    delivery = one(orders, lease=1)
    delivery.extend("1h")
    assert orders.stats().leased == 1
    delivery.nack(error="not yet")
    again = one(orders)
    assert (again.id, again.attempt) == (delivery.id, 2)
    assert again.fence > delivery.fence
    again.nack(delay="1h")
    assert orders.stats().delayed == 1
    orders.send(b"y")
    one(orders).reject("bad order")
    dead = one(mq.queue("orders.dlq"))
    assert dead.headers["x-error"] == "bad order"
    assert (dead.headers["x-reason"], dead.headers["x-origin-queue"]) == ("rejected", "orders")


@pytest.mark.parametrize("answer", ["ack", "nack", "reject", "extend"])
def test_a_stale_delivery_changes_nothing(orders: Queue, answer: str) -> None:
    orders.send(b"x")
    stale = one(orders)
    stale.nack(delay=0)
    current = one(orders)
    arguments = ("1s",) if answer == "extend" else ()
    with pytest.raises(LeaseLost, match=f"the lease of message {stale.id} is no longer held"):
        getattr(stale, answer)(*arguments)
    current.ack()
    with pytest.raises(MessageNotFound, match=f"message {stale.id} does not exist"):
        getattr(stale, answer)(*arguments)


def test_answers_in_batches_tell_what_failed(orders: Queue) -> None:
    orders.send_many("abcd")
    taken = orders.receive(4)
    taken[1].ack()
    failures = orders.ack(taken[:2])
    assert {index: type(error) for index, error in failures.items()} == {1: MessageNotFound}
    assert orders.extend(taken[2:], 60) == {}
    assert orders.nack(taken[2:3], delay=0, error="again") == {}
    assert orders.reject(taken[3:], "no") == {}
    (look,) = orders.peek()
    assert (look.message.body, look.attempts, look.error) == (b"c", 1, "again")
    with pytest.raises(InvalidArgument, match="receipts must have 1 to 1000 elements"):
        orders.ack([])


def test_attempts_used_up_go_to_the_dead_letter_queue_and_back(mq: Connection) -> None:
    jobs = mq.queue("jobs", max_attempts=2, backoff=0)
    jobs.send("poison")
    for _ in range(2):
        one(jobs).nack(error="boom")
    dlq = mq.queue("jobs.dlq")
    (letter,) = dlq.peek()
    assert (letter.message.headers or {})["x-attempts"] == "2"
    assert dlq.redrive() == 1
    assert one(jobs).attempt == 1
    one_more = jobs.send("other")
    one(jobs).reject()
    assert dlq.redrive([10**6]) == 0
    assert dlq.redrive([one_more]) == 1


# Groups, topics, namespaces


def test_groups_each_get_every_message(orders: Queue) -> None:
    orders.send(b"x")
    billing, shipping = orders.group("billing"), orders.group("shipping")
    assert texts(billing.receive()) == texts(shipping.receive()) == ["x"]
    assert set(orders.stats().groups) == {"billing", "shipping"}
    assert billing.delete_group() is True
    assert billing.delete_group() is False
    assert repr(shipping) == "<Queue 'orders', group 'shipping'>"
    assert (shipping.name, shipping.group_name) == ("orders", "shipping")


def test_a_topic_keeps_nothing_for_later_groups(mq: Connection) -> None:
    news = mq.topic("news")
    early = news.group("early")
    assert early.receive() == []
    news.send("hello")
    assert texts(early.receive()) == ["hello"]
    assert news.group("late").receive() == []
    with pytest.raises(InvalidArgument, match="kind must stay 'topic', got 'queue'"):
        mq.queue("news").create()


def test_namespaces_do_not_meet(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    with crossdock.connect(url, namespace="a") as one_side, crossdock.connect(url, namespace="b") as other_side:
        one_side.queue("q").send("secret")
        assert other_side.queue("q").receive() == []
        assert one_side.queues() == other_side.queues() == ["q"]
        assert other_side.queue("q").stats().stored == 0


def test_memory_connections_do_not_meet() -> None:
    with crossdock.connect("memory://") as one_side, crossdock.connect("memory://") as other_side:
        one_side.queue("q").create()
        assert other_side.queues() == []


# Managing


def test_create_list_and_delete(mq: Connection, orders: Queue) -> None:
    assert mq.queues() == []
    assert orders.create() is True
    assert orders.create() is False
    mq.queue("another").create()
    assert mq.queues() == ["another", "orders"]
    orders.send(b"x")
    held = one(orders)
    orders.delete()
    with pytest.raises(QueueNotFound, match="queue 'orders' does not exist"):
        orders.stats()
    fresh = mq.queue("orders")
    fresh.create()
    with pytest.raises(MessageNotFound):
        held.ack()


@pytest.mark.parametrize("verb", ["peek", "stats", "purge", "redrive", "delete", "delete_group", "pause", "resume"])
def test_a_verb_that_looks_or_manages_makes_no_queue(mq: Connection, verb: str) -> None:
    with pytest.raises(QueueNotFound):
        getattr(mq.queue("missing"), verb)()
    assert mq.queues() == []


def test_settings_of_a_new_queue_and_their_change(mq: Connection) -> None:
    jobs = mq.queue("jobs", lease="2m", max_attempts=5, ttl=timedelta(hours=1), max_messages=2, dead_letter="")
    jobs.create()
    settings = jobs.stats().settings
    assert (settings.lease, settings.max_attempts, settings.ttl, settings.max_messages) == (120_000, 5, 3_600_000, 2)
    jobs.edit(max_messages=None, backoff="1s")
    settings = jobs.stats().settings
    assert (settings.max_messages, settings.backoff, settings.lease) == (None, 1_000, 120_000)
    jobs.edit(max_messages=1)
    jobs.send(b"x")
    with pytest.raises(QueueFull, match="queue 'jobs' is full: its bound is 1 messages"):
        jobs.send(b"y")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"color": "red"}, "settings must be among lease, max_attempts"),
        ({"kind": "topic"}, "settings must be among"),
        ({"lease": "soon"}, "lease must be a duration"),
        ({"lease": 0}, "lease must be a whole number from 1"),
        ({"max_attempts": -1}, "max_attempts must be a whole number from 0"),
        ({"overflow": "explode"}, "overflow must be one of reject, drop-oldest"),
        ({"dead_letter": "jobs"}, "dead_letter must not lead back to queue 'jobs'"),
        ({"dead_letter": "a b"}, "dead_letter must be 1 to 200 letters"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense(mq: Connection, options: Any, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        mq.queue("jobs", **options).create()
    assert mq.queues() == []


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "é", "a" * 201, None, 5])
def test_names_that_make_no_sense(mq: Connection, name: Any) -> None:
    with pytest.raises(InvalidArgument, match="queue must be 1 to 200 letters"):
        mq.queue(name).send(b"x")
    with pytest.raises(InvalidArgument, match="group must be 1 to 200 letters"):
        mq.queue("good").group(name).receive()


def test_pause_and_resume(orders: Queue) -> None:
    orders.send(b"x")
    orders.pause()
    assert orders.receive() == []
    assert orders.stats().settings.paused
    orders.send(b"y")
    orders.resume()
    assert texts(orders.receive(10)) == ["x", "y"]


def test_purge_and_peek(orders: Queue) -> None:
    orders.send_many("abc")
    orders.receive()
    assert [look.message.body for look in orders.peek(10)] == [b"b", b"c"]
    assert orders.stats().totals.delivered == 1
    assert orders.purge() == 3
    assert orders.purge() == 0


# Closing, threads


def test_after_the_close_everything_is_refused(url: str) -> None:
    mq = crossdock.connect(url)
    orders = mq.queue("orders")
    orders.send_many("ab")
    held = one(orders)
    mq.close()
    mq.close()
    assert mq.closed
    verbs: list[Callable[[], object]] = [
        lambda: orders.send(b"x"),
        lambda: orders.send_many([b"x"]),
        lambda: orders.receive(),
        lambda: orders.receive(wait=1),
        held.ack,
        held.nack,
        held.reject,
        lambda: held.extend(1),
        lambda: orders.ack([held]),
        orders.peek,
        orders.stats,
        orders.purge,
        orders.redrive,
        orders.pause,
        orders.resume,
        lambda: orders.edit(lease=1),
        orders.create,
        orders.delete,
        orders.delete_group,
        mq.queues,
        mq.topics,
        lambda: mq.get_queue("orders"),
        orders.subscribe,
        orders.create_group,
        lambda: mq.queue("new").send(b"x"),
    ]
    for verb in verbs:
        with pytest.raises(QueueClosed):
            verb()


def test_close_ends_waiting_receives_of_other_threads(url: str) -> None:
    mq = crossdock.connect(url)
    orders = mq.queue("orders")
    orders.create()
    started = threading.Barrier(5)
    results: list[object] = []

    def wait() -> None:
        started.wait(PATIENCE)
        try:
            results.append(orders.receive(wait=PATIENCE))
        except QueueClosed:
            results.append([])  # It came after the close.

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait(PATIENCE)
    mq.close()
    for thread in threads:
        thread.join(PATIENCE / 2)
        assert not thread.is_alive()
    assert results == [[]] * 4


def test_the_context_manager_closes_when_its_body_fails(url: str) -> None:
    with pytest.raises(ZeroDivisionError), crossdock.connect(url) as mq:
        raise ZeroDivisionError
    assert mq.closed


def test_many_threads_share_a_connection(orders: Queue) -> None:
    failures: list[BaseException] = []
    seen: list[list[int]] = [[] for _ in range(4)]

    def work(number: int) -> None:
        try:
            for _ in range(25):
                orders.send(b"x")
                for delivery in orders.receive(2):
                    delivery.ack()
                    seen[number].append(delivery.id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []
    for delivery in orders.receive(100):
        seen[0].append(delivery.id)
    ids = [number for numbers in seen for number in numbers]
    assert len(ids) == len(set(ids)) == 100


def test_the_memory_path_starts_no_thread() -> None:
    before = set(threading.enumerate())
    with crossdock.connect("memory://") as mq:
        orders = mq.queue("orders")
        orders.send_many([b"a", Message(b"b", delay="1h"), Message(b"c", ttl="1h")])
        for delivery in orders.receive(10):
            delivery.extend("1h")
            delivery.nack(delay=0)
        for delivery in orders.receive(10):
            delivery.ack()
        orders.stats()
        orders.purge()
        assert set(threading.enumerate()) == before
    assert set(threading.enumerate()) == before


def test_the_memory_path_runs_in_the_calling_thread() -> None:
    seen: list[int] = []
    with crossdock.connect("memory://") as mq:
        orders = mq.queue("orders")
        orders.create()
        engine = mq.transport.store._engine  # type: ignore[attr-defined]
        send = engine.send
        engine.send = lambda *args: (seen.append(threading.get_ident()), send(*args))[1]
        orders.send(b"x")
    assert seen == [threading.get_ident()]


def test_threads_of_a_connection_end_with_it(url: str) -> None:
    before = set(threading.enumerate())
    with crossdock.connect(url) as mq:
        mq.queue("orders").receive(wait=0.001)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_store_that_cannot_be_opened_says_so_and_leaves_no_thread(tmp_path: Any) -> None:
    before = set(threading.enumerate())
    (tmp_path / "queues.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailable, match=r"queues\.db"):
        crossdock.connect(f"sqlite:///{tmp_path}/queues.db")
    assert set(threading.enumerate()) == before


def test_what_one_connection_sent_another_receives(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/queues.db"
    with crossdock.connect(url) as mq:
        mq.queue("orders").send_many("abc")
        one(mq.queue("orders")).ack()
    with crossdock.connect(url) as mq, crossdock.connect(url) as other:
        assert texts(mq.queue("orders").receive()) == ["b"]
        assert texts(other.queue("orders").receive(5)) == ["c"]

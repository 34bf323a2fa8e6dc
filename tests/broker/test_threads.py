"""Blocking callers in many threads over one memory store: `drive` and the ThreadRuntime."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from crossdock.broker import Broker, ThreadRuntime, drive
from crossdock.broker.member import Member
from crossdock.broker.runtime import ThreadWaiter
from crossdock.core.errors import InvalidArgument, QueueClosed, QueueNotFound
from crossdock.core.model import Delivery, Message, Settings
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, bodies

PATIENCE = 30.0
"""Seconds after which a thread counts as hanging. Never waited for when all is well."""


class Watched(ThreadRuntime):
    """A ThreadRuntime that tells when a caller is about to block."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.blocked = threading.Semaphore(0)

    def waiter(self) -> object:  # type: ignore[override]
        self.blocked.release()
        return super().waiter()

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.blocked.acquire(timeout=PATIENCE)


@pytest.fixture
def runtime(clock: VirtualClock) -> Watched:
    return Watched(clock)


@pytest.fixture
def broker(runtime: Watched) -> Iterator[Broker]:
    broker = Broker(MemoryStore(), runtime)
    drive(broker.open())
    drive(broker.create_queue(Q, Settings(max_attempts=0)))
    yield broker
    drive(broker.close())


def send(broker: Broker, *names: str) -> None:
    for name in names:
        drive(broker.send(Q, [Message(name.encode())]))


class Receiver(threading.Thread):
    """A thread in one blocking receive, or waiting as a member."""

    def __init__(self, broker: Broker, wait: int = HOUR, member: Member | None = None) -> None:
        super().__init__(daemon=True)
        self._broker = broker
        self._wait = wait
        self._member = member
        self.got: list[Delivery] | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            if self._member is None:
                self.got = drive(self._broker.receive(Q, wait=self._wait))
            else:
                delivery = drive(self._member.next())
                self.got = [delivery] if delivery is not None else []
        except Exception as error:
            self.error = error

    def result(self) -> list[str]:
        self.join(PATIENCE)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        assert self.got is not None
        return bodies(self.got)


def receivers(broker: Broker, runtime: Watched, count: int, wait: int = HOUR) -> list[Receiver]:
    started = []
    for _ in range(count):
        started.append(Receiver(broker, wait))
        runtime.wait_for(1)
    return started


def test_drive_returns_and_raises_what_the_verb_does(broker: Broker) -> None:
    send(broker, "a")
    assert bodies(drive(broker.receive(Q))) == ["a"]
    with pytest.raises(QueueNotFound):
        drive(broker.stats(("default", "missing")))
    with pytest.raises(InvalidArgument):
        drive(broker.create_queue(("default", "bad name")))
    assert drive(broker.queues("default")) == ["q"]


def test_blocked_threads_are_served_in_order_with_one_wakeup_each(broker: Broker, runtime: Watched) -> None:
    line = receivers(broker, runtime, 5)
    for number, receiver in enumerate(line):
        send(broker, str(number))
        assert receiver.result() == [str(number)]
    assert broker.room.wakeups == 5


def test_a_blocked_thread_returns_empty_at_its_deadline(broker: Broker, runtime: Watched, clock: VirtualClock) -> None:
    (receiver,) = receivers(broker, runtime, 1, wait=5_000)
    clock.advance(4_999)
    assert receiver.is_alive()
    clock.advance(1)
    assert receiver.result() == []


def test_a_delayed_message_and_a_lease_end_wake_a_thread(broker: Broker, runtime: Watched, clock: VirtualClock) -> None:
    first, second = receivers(broker, runtime, 2)
    drive(broker.send(Q, [Message(b"a", delay=5_000)]))
    runtime.wait_for(1)  # The send woke one in vain.
    clock.advance(5_000)
    assert first.result() == ["a"]
    clock.advance(30_000)
    assert second.result() == ["a"]


def test_close_and_delete_end_blocked_threads(broker: Broker, runtime: Watched) -> None:
    line = receivers(broker, runtime, 2)
    drive(broker.delete_queue(Q))
    for receiver in line:
        with pytest.raises(QueueNotFound):
            receiver.result()
    drive(broker.create_queue(Q))
    line = receivers(broker, runtime, 2)
    drive(broker.close())
    assert [receiver.result() for receiver in line] == [[], []]


def test_ctrl_c_in_a_blocked_receive_leaves_the_line_and_passes_the_wakeup_on(
    broker: Broker, runtime: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = threading.get_ident()
    block = ThreadWaiter.block

    def interrupted(waiter: ThreadWaiter) -> None:
        if threading.get_ident() != caller:
            block(waiter)
            return
        patient.extend(receivers(broker, runtime, 1))
        send(broker, "a")  # Wakes the first in line, which the signal reaches before it can look.
        raise KeyboardInterrupt

    patient: list[Receiver] = []
    monkeypatch.setattr(ThreadWaiter, "block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drive(broker.receive(Q, wait=HOUR))
    assert patient[0].result() == ["a"]
    assert broker.room.members == 0
    send(broker, "b")
    assert bodies(drive(broker.receive(Q, wait=HOUR))) == ["b"]


def test_hammered_by_many_threads_each_message_is_handed_out_once() -> None:
    broker = Broker(MemoryStore(), ThreadRuntime())
    drive(broker.create_queue(Q))
    senders, receiving, each = 4, 4, 500
    seen: list[Counter[bytes]] = [Counter() for _ in range(receiving)]
    failures: list[BaseException] = []
    acked = threading.Semaphore(0)

    def run(work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    def produce(number: int) -> None:
        for index in range(each):
            drive(broker.send(Q, [Message(f"{number}-{index}".encode())]))

    def consume(number: int) -> None:
        with suppress(QueueClosed):
            while deliveries := drive(broker.receive(Q, limit=number + 1, wait=HOUR)):
                seen[number].update(delivery.message.body for delivery in deliveries)
                assert drive(broker.ack(Q, "default", deliveries)) == {}
                acked.release(len(deliveries))

    producers = [threading.Thread(target=run, args=(produce, n), daemon=True) for n in range(senders)]
    consumers = [threading.Thread(target=run, args=(consume, n), daemon=True) for n in range(receiving)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join(PATIENCE)
    for _ in range(senders * each):
        assert acked.acquire(timeout=PATIENCE)
    assert drive(broker.stats(Q)).stored == 0
    drive(broker.close())
    for thread in consumers:
        thread.join(PATIENCE)
    assert failures == []
    total = sum(seen, Counter())
    assert len(total) == senders * each
    assert set(total.values()) == {1}
    assert broker.room.wakeups <= 2 * senders * each, "F31"


def test_members_in_threads_share_the_load_and_each_message_is_handed_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """F31"""
    wakes: deque[ThreadWaiter] = deque()
    wake = ThreadWaiter.wake

    def counted(waiter: ThreadWaiter) -> None:
        wakes.append(waiter)
        wake(waiter)

    monkeypatch.setattr(ThreadWaiter, "wake", counted)
    broker = Broker(MemoryStore(), ThreadRuntime())
    drive(broker.create_queue(Q))
    count, each = 4, 500
    seen: list[list[int]] = [[] for _ in range(count)]
    failures: list[BaseException] = []
    acked = threading.Semaphore(0)

    def consume(member: Member, ids: list[int]) -> None:
        try:
            while (delivery := member.poll() or drive(member.next())) is not None:
                ids.append(delivery.id)
                assert drive(broker.ack(Q, "default", (delivery,))) == {}
                acked.release()
        except BaseException as error:
            failures.append(error)

    members = [broker.join(Q, "default", number + 1) for number in range(count)]
    threads = [threading.Thread(target=consume, args=pair, daemon=True) for pair in zip(members, seen, strict=True)]
    for thread in threads:
        thread.start()
    for _ in range(each):
        drive(broker.send(Q, [Message(b"x") for _ in range(count)]))
    for _ in range(count * each):
        assert acked.acquire(timeout=PATIENCE), failures
    drive(broker.close())
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert failures == []
    ids = [message_id for ids in seen for message_id in ids]
    assert sorted(ids) == list(range(1, count * each + 1))
    assert all(seen), "everybody had a share"
    assert len(wakes) <= 2 * count * each


def test_a_blocked_member_is_ended_by_another_thread(broker: Broker, runtime: Watched) -> None:
    pulls, waits = (broker.join(Q, "default", 1) for _ in range(2))
    threads = []
    for member in (pulls, waits):
        threads.append(Receiver(broker, member=member))
        runtime.wait_for(1)
    for member, thread in zip((pulls, waits), threads, strict=True):
        drive(member.close())
        assert thread.result() == []
    assert (broker.room.members, broker.members.rotations) == (0, {})


def test_ctrl_c_in_a_blocked_member_hands_the_pulling_on(
    broker: Broker, runtime: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = threading.get_ident()
    block = ThreadWaiter.block
    one, two = (broker.join(Q, "default", 1) for _ in range(2))

    def interrupted(waiter: ThreadWaiter) -> None:
        if threading.get_ident() != caller:
            block(waiter)
            return
        patient.append(Receiver(broker, member=two))
        runtime.wait_for(1)
        raise KeyboardInterrupt

    patient: list[Receiver] = []
    monkeypatch.setattr(ThreadWaiter, "block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drive(one.next())
    send(broker, "a", "b")
    assert patient[0].result() == ["b"]
    assert bodies([drive(one.next())]) == ["a"], "it is a member still"

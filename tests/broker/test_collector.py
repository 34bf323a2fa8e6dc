"""Collectors: what the verbs did by queue, in memory and for Prometheus."""

from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.broker.collector import OTHERS, QUEUES_MAX, Collector, MemoryCollector
from crossdock.core.errors import QueueNotFound
from crossdock.core.model import Address, Message, Settings
from crossdock.server.collector import PrometheusCollector
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from desk import Q, Recorder, send, waiting


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(params=[MemoryCollector, PrometheusCollector])
def collector(request: pytest.FixtureRequest, clock: VirtualClock, recorder: Recorder) -> Collector:
    made: Collector = request.param(MemoryStore(), clock, recorder)
    return made


@pytest.fixture
async def broker(collector: MemoryCollector, clock: VirtualClock) -> AsyncIterator[Broker]:
    broker = Broker(collector._store, AsyncRuntime(clock), collector)
    await broker.open()
    await broker.create_queue(Q)
    yield broker
    await broker.close()


async def test_counts_errors_depths_and_latencies(broker: Broker, collector: Collector, clock: VirtualClock) -> None:
    await broker.send(Q, [Message(b"a"), Message(b"b")])
    await send(broker, "c")
    taken = await broker.receive(Q, limit=2)
    await broker.ack(Q, "default", taken)
    await broker.ack(Q, "default", taken[:1])
    with pytest.raises(QueueNotFound):
        await send(broker, "a", queue=("default", "none"))
    figures = collector.figures()
    verbs = figures[Q]
    assert {verb: (found.calls, found.messages) for verb, found in verbs.items()} == {
        "send": (2, 3),
        "receive": (1, 2),
        "ack": (2, 2),
    }
    assert verbs["ack"].errors == {"message_not_found": 1}
    assert figures["default", "none"]["send"].errors == {"queue_not_found": 1}
    assert (sum(verbs["send"].buckets), verbs["send"].ms) == (2, 0)
    assert await collector.depths() == {Q: 1}


async def test_a_receive_that_waits_counts_its_wait(broker: Broker, collector: Collector, clock: VirtualClock) -> None:
    task = await waiting(broker.receive(Q, wait=10_000))
    await clock.sleep_through(3_000)
    await send(broker, "a")
    await task
    found = collector.figures()[Q]["receive"]
    assert found.ms == 3_000
    assert found.buckets[-3] == 1, "from 1 to 5 s"


async def test_whoever_comes_after_is_told_too(broker: Broker, recorder: Recorder) -> None:
    await send(broker, "a")
    with pytest.raises(QueueNotFound):
        await send(broker, "a", queue=("default", "none"))
    assert recorder.calls == [("send", 1)]
    assert len(recorder.failures) == 1


async def test_names_beyond_the_bound_are_counted_together(clock: VirtualClock) -> None:
    collector = MemoryCollector(MemoryStore(), clock)
    for number in range(QUEUES_MAX + 5):
        collector.failed("send", ("default", f"q{number}"), QueueNotFound("q"))
    assert len(collector.figures()) == QUEUES_MAX + 1
    assert collector.figures()[OTHERS]["send"].errors == {"queue_not_found": 5}


async def test_a_queue_deleted_while_depths_are_read_is_left_out(clock: VirtualClock) -> None:
    class Forgetful(MemoryStore):
        async def queues(self, namespace: str | None) -> list[Address]:
            return [*await super().queues(namespace), ("default", "deleted")]

    store = Forgetful()
    await store.open(clock.now())
    await store.create_queue(Q, Settings(), clock.now())
    assert await MemoryCollector(store, clock).depths() == {Q: 0}
    await store.close()


async def test_prometheus_shows_the_figures(clock: VirtualClock) -> None:
    collector = PrometheusCollector(MemoryStore(), clock)
    started = clock.now()
    clock.advance(7)
    collector.done("send", Q, 3, started)
    collector.failed("ack", Q, QueueNotFound("q"))
    shown = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in collector.metrics()
        for sample in family.samples
    }
    assert shown["crossdock_verb_messages_total", "q", "send"] == 3
    assert shown["crossdock_verb_errors_total", "ack", "q", "queue_not_found"] == 1
    assert shown["crossdock_verb_seconds_bucket", "0.005", "q", "send"] == 0
    assert shown["crossdock_verb_seconds_bucket", "0.01", "q", "send"] == 1
    assert shown["crossdock_verb_seconds_sum", "q", "send"] == 0.007

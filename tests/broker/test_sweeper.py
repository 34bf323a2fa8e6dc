"""The sweeper: what is due happens without anybody's verb, and goes on happening when the store fails in between."""

from collections.abc import AsyncIterator

import pytest

from crossdock.broker import AsyncRuntime, Broker
from crossdock.broker.sweeper import RETRY_MS, SWEEP_MS_MAX
from crossdock.core.model import Settings
from crossdock.testing.clock import VirtualClock
from desk import HOUR, BrokenStore, Q, bodies, send, turns, waiting


class CountingStore(BrokenStore):
    """Counts ticks and keeps the state to look at without a verb, which would do what is due by itself."""

    ticks = 0

    async def tick(self, now: int) -> object:  # type: ignore[override]
        self.ticks += 1
        return await super().tick(now)

    @property
    def stored(self) -> int:
        return len(self._engine._queues[Q].messages)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
async def steady(store: CountingStore, clock: VirtualClock) -> AsyncIterator[Broker]:
    broker = Broker(store, AsyncRuntime(clock))
    await broker.open(sweep=True)
    await broker.create_queue(Q, Settings())
    await turns()
    yield broker
    store.error = None
    await broker.close()


async def test_a_steady_sweep_expires_without_any_verb(
    steady: Broker, store: CountingStore, clock: VirtualClock
) -> None:
    await send(steady, "a", ttl=60_000)
    await send(steady, "b", ttl=12 * HOUR)
    await clock.sleep_through(59_999)
    assert store.stored == 2
    await clock.sleep_through(1 + SWEEP_MS_MAX)
    assert store.stored == 1
    await clock.sleep_through(12 * HOUR)
    assert store.stored == 0
    assert (await steady.stats(Q)).totals.expired == 2


async def test_what_is_known_to_be_due_is_done_on_time(
    steady: Broker, store: CountingStore, clock: VirtualClock
) -> None:
    await send(steady, "a", ttl=60_000)
    await clock.sleep_through(SWEEP_MS_MAX)  # From here on the sweeper knows.
    await clock.sleep_through(60_000 - SWEEP_MS_MAX)
    assert store.stored == 0


async def test_without_a_steady_sweep_nothing_runs_while_nobody_waits(clock: VirtualClock) -> None:
    store = CountingStore()
    broker = Broker(store, AsyncRuntime(clock))
    await broker.open()
    await broker.create_queue(Q)
    await send(broker, "a", ttl=60_000)
    await clock.sleep_through(12 * HOUR)
    assert store.ticks == 0
    assert (await broker.stats(Q)).stored == 0, "the verb does what is due"
    await broker.close()


async def test_sweeps_are_few_when_there_is_little_to_do(
    steady: Broker, store: CountingStore, clock: VirtualClock
) -> None:
    before = store.ticks
    await clock.sleep_through(HOUR)
    assert store.ticks - before == HOUR // SWEEP_MS_MAX


@pytest.mark.parametrize("error", [None, ZeroDivisionError("a bug")], ids=["unavailable", "bug"])
async def test_a_failing_store_is_told_of_and_the_sweeper_goes_on(
    steady: Broker,
    store: CountingStore,
    clock: VirtualClock,
    error: Exception | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await send(steady, "a", ttl=60_000)
    store.fail()
    store.error = error or store.error
    await clock.sleep_through(SWEEP_MS_MAX)
    assert [(record.name, record.levelname) for record in caplog.records] == [("crossdock.broker", "WARNING")]
    assert caplog.records[0].getMessage() == f"a sweep failed, the next is in {RETRY_MS} ms: {store.error}"
    assert bool(caplog.records[0].exc_info) is (error is not None), "a trace tells where a bug is"
    await clock.sleep_through(3 * RETRY_MS)
    assert len(caplog.records) == 4
    store.error = None
    await clock.sleep_through(60_000)
    assert store.stored == 0
    assert len(caplog.records) == 4


async def test_waits_end_on_time_while_the_store_fails(
    store: CountingStore, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(store, AsyncRuntime(clock))
    await broker.open()
    await broker.create_queue(Q)
    store.fail()
    short = await waiting(broker.receive(Q, wait=2_500))
    patient = await waiting(broker.receive(Q, wait=HOUR))
    await clock.sleep_through(2_500)
    assert short.done()
    assert await short == []
    store.error = None
    await send(broker, "a", delay=10_000)
    await clock.sleep_through(10_000)
    assert bodies(await patient) == ["a"]
    assert caplog.records
    await broker.close()


async def test_the_last_wait_on_an_empty_queue_ends_quietly(
    broker: Broker, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    waiter = await waiting(broker.receive(Q, wait=1_000))
    await clock.sleep_through(1_000)
    assert await waiter == []
    assert caplog.records == []


async def test_closed_it_sweeps_no_more(steady: Broker, store: CountingStore, clock: VirtualClock) -> None:
    await steady.close()
    before = store.ticks
    await clock.sleep_through(HOUR)
    assert store.ticks == before

"""Counts in the log: a line for each queue at steady intervals, until the broker closes."""

import logging

import pytest

from crossdock.broker import AsyncRuntime, Broker, ThreadRuntime, drive
from crossdock.core.errors import StoreUnavailable
from crossdock.core.model import Address
from crossdock.storage.memory import MemoryStore
from crossdock.testing.clock import VirtualClock
from desk import HOUR, Q, send


class Vanishing(MemoryStore):
    """A memory store whose queue list is out of date, and which may be out of order."""

    broken = False

    async def queues(self, namespace: str | None) -> list[Address]:
        if self.broken:
            raise StoreUnavailable("the disk is full")
        return [("default", "gone"), *await super().queues(namespace)]


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, int]]:
    return [(record.queue, record.stored, record.leased) for record in caplog.records if record.msg == "counts"]


async def test_counts_come_at_steady_intervals(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "crossdock.counts")
    broker = Broker(MemoryStore(), AsyncRuntime(clock))
    await broker.open(counts_every=60_000)
    await broker.create_queue(Q)
    await broker.create_queue(("other", "r"))
    await send(broker, "a", "b")
    await broker.receive(Q, lease=HOUR)
    await clock.sleep_through(59_999)
    assert lines(caplog) == []
    await clock.sleep_through(1)
    assert lines(caplog) == [("q", 2, 1), ("r", 0, 0)]
    assert caplog.records[0].totals["delivered"] == 1
    await clock.sleep_through(120_000)
    assert len(lines(caplog)) == 6
    await broker.close()
    await clock.sleep_through(600_000)
    assert len(lines(caplog)) == 6


async def test_without_an_interval_nothing_is_logged(
    broker: Broker, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await clock.sleep_through(100_000_000)
    assert lines(caplog) == []


async def test_a_queue_that_goes_and_a_store_that_fails(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "crossdock.counts")
    store = Vanishing()
    broker = Broker(store, AsyncRuntime(clock))
    await broker.open(counts_every=1_000)
    await broker.create_queue(Q)
    await clock.sleep_through(1_000)
    assert lines(caplog) == [("q", 0, 0)]
    store.broken = True
    await clock.sleep_through(1_000)
    assert "the queues could not be counted: the disk is full" in caplog.text
    store.broken = False
    await clock.sleep_through(1_000)
    assert lines(caplog) == [("q", 0, 0)] * 2
    await broker.close()


def test_a_blocking_program_has_them_too(clock: VirtualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "crossdock.counts")
    broker = Broker(MemoryStore(), ThreadRuntime(clock))
    drive(broker.open(counts_every=1_000))
    drive(broker.create_queue(Q))
    clock.advance(3_000)
    assert lines(caplog) == [("q", 0, 0)] * 3
    drive(broker.close())

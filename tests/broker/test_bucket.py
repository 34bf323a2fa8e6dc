"""Rate limits: a bucket of tokens for each caller."""

import pytest

from crossdock.broker.bucket import RateLimit
from crossdock.core.errors import RateLimited
from crossdock.core.limits import BUCKETS_MAX
from crossdock.testing.clock import VirtualClock


def passed(limit: RateLimit, caller: str, tries: int) -> int:
    """How many of `tries` requests at one moment pass."""
    count = 0
    for _ in range(tries):
        try:
            limit.take(caller)
        except RateLimited:
            continue
        count += 1
    return count


def test_a_burst_passes_and_the_rest_is_told_when_to_come_again(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=10, burst=5)
    assert passed(limit, "a", 5) == 5
    with pytest.raises(RateLimited, match=r"too many requests, try again in 0\.1 s") as caught:
        limit.take("a")
    assert caught.value.retry_after == pytest.approx(0.1)


def test_coming_again_at_the_time_told_passes(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=4, burst=1)
    limit.take("a")
    with pytest.raises(RateLimited) as caught:
        limit.take("a")
    clock.advance(round(caught.value.retry_after * 1000) - 1)
    assert passed(limit, "a", 1) == 0
    clock.advance(1)
    assert passed(limit, "a", 2) == 1


def test_refused_requests_cost_nothing(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=1, burst=1)
    assert passed(limit, "a", 1_000) == 1
    clock.advance(1_000)
    assert passed(limit, "a", 1_000) == 1


def test_over_time_the_rate_holds_whatever_the_rhythm(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=10, burst=5)
    count = 0
    for step in (1, 7, 33, 100, 250, 9) * 100:
        clock.advance(step)
        count += passed(limit, "a", 3)
    seconds = sum((1, 7, 33, 100, 250, 9)) / 10
    assert seconds * 10 * 0.7 <= count <= seconds * 10 + 5


def test_a_bucket_holds_no_more_than_a_burst(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=10, burst=5)
    passed(limit, "a", 5)
    clock.advance(3_600_000)
    assert passed(limit, "a", 100) == 5


def test_callers_do_not_share(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=1, burst=2)
    assert [passed(limit, caller, 3) for caller in "abc"] == [2, 2, 2]


def test_idle_callers_are_forgotten_and_busy_ones_are_not(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=1, burst=10)
    for number in range(BUCKETS_MAX - 1):
        limit.take(f"idle{number}")
    clock.advance(10_000)  # Their buckets are full again.
    passed(limit, "busy", 10)
    limit.take("newcomer")
    assert set(limit._buckets) == {"busy", "newcomer"}
    assert passed(limit, "busy", 5) == 0


def test_memory_is_bounded_when_everybody_is_busy(clock: VirtualClock) -> None:
    limit = RateLimit(clock, rate=0.001, burst=1)
    for number in range(3 * BUCKETS_MAX):
        clock.advance(1)
        limit.take(f"caller{number}")
        assert len(limit._buckets) <= BUCKETS_MAX
    assert passed(limit, f"caller{3 * BUCKETS_MAX - 1}", 1) == 0, "the latest are remembered"


def test_cleaning_up_is_rare(clock: VirtualClock) -> None:
    """Else ten thousand busy callers and one newcomer after the other would make each request pay for a look at all."""
    limit = RateLimit(clock, rate=0.001, burst=1)
    cleanups = 0
    before = limit._buckets
    for number in range(3 * BUCKETS_MAX):
        limit.take(f"caller{number}")
        cleanups += limit._buckets is not before
        before = limit._buckets
    assert 1 <= cleanups <= 5

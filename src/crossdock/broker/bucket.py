"""Token buckets: a rate limit per caller."""

from crossdock.core.clock import Clock
from crossdock.core.errors import RateLimited
from crossdock.core.limits import BUCKETS_MAX


class Bucket:
    """Tokens of one caller at a point in time."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: int) -> None:
        self.tokens = tokens
        self.at = at


class RateLimit:
    """`rate` requests per second with bursts of up to `burst`, for each caller by itself."""

    def __init__(self, clock: Clock, rate: float, burst: int) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._buckets: dict[str, Bucket] = {}

    def take(self, caller: str) -> None:
        """Take one token. Raises RateLimited, with the time to the next token, when the bucket is empty."""
        now = self._clock.monotonic()
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= BUCKETS_MAX:
                self._forget_idle(now)
            bucket = self._buckets[caller] = Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) / 1000 * self._rate)
        bucket.at = now
        if bucket.tokens < 1:
            raise RateLimited((1 - bucket.tokens) / self._rate)
        bucket.tokens -= 1

    def _forget_idle(self, now: int) -> None:
        """Keep at most half of the room: no full bucket (a new one is the same), and the newest of the others."""
        refill_ms = self._burst / self._rate * 1000
        kept = {caller: bucket for caller, bucket in self._buckets.items() if now - bucket.at < refill_ms}
        newest = sorted(kept.items(), key=lambda item: item[1].at)[-(BUCKETS_MAX // 2) :]
        self._buckets = dict(newest)

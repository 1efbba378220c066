"""How much of something there was in the last seconds."""

import math

from asr_service.shared.clock import Clock


class SlidingSum:
    """Adds up amounts and forgets those that are older than the span; a ring of buckets, so it does not grow.

    Args:
        clock: Tells when an amount is added, and what is old.
        span_s: How far back amounts count, less up to one bucket.
        buckets: Parts of the span; at least 2.
    """

    def __init__(self, clock: Clock, span_s: float = 6.0, buckets: int = 12) -> None:
        self._clock = clock
        self._width_s = span_s / buckets
        self._sums = [0.0] * buckets
        self._newest = math.floor(clock.monotonic_s() / self._width_s)  # bucket of the present, counted from time 0

    def add(self, amount: float, begun_s: float | None = None) -> None:
        """Adds an amount of this moment, or one that is spread evenly over the time since ``begun_s``."""
        now_s = self._advance()
        if begun_s is None or begun_s >= now_s:
            self._sums[self._newest % len(self._sums)] += amount
            return
        for bucket in range(max(math.floor(begun_s / self._width_s), self._oldest), self._newest + 1):
            start_s, end_s = max(begun_s, bucket * self._width_s), min(now_s, (bucket + 1) * self._width_s)
            self._sums[bucket % len(self._sums)] += amount * (end_s - start_s) / (now_s - begun_s)

    def per_second(self) -> float:
        """The sum, divided by the time that it covers."""
        now_s = self._advance()
        return sum(self._sums) / (now_s - self.start_s)

    @property
    def start_s(self) -> float:
        """Monotonic time from which on amounts count now."""
        self._advance()
        return self._oldest * self._width_s

    @property
    def _oldest(self) -> int:
        return self._newest - len(self._sums) + 1

    def _advance(self) -> float:
        """Empties the buckets of what has become too old; returns the time."""
        now_s = self._clock.monotonic_s()
        present = math.floor(now_s / self._width_s)
        for bucket in range(max(self._newest + 1, present - len(self._sums) + 1), present + 1):
            self._sums[bucket % len(self._sums)] = 0.0
        self._newest = present
        return now_s

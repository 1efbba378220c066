"""Time as a parameter: whoever needs ``now`` is given a clock, so that tests need no sleeping."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two notions of time that must not be mixed."""

    def monotonic_s(self) -> float:
        """Seconds that never go back, for durations and deadlines; the origin is arbitrary."""
        ...

    def now(self) -> datetime:
        """The wall clock in UTC, for what is stored or shown."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

"""Stand-ins for the clock."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self._passed_s = 0.0

    def advance(self, seconds: float) -> None:
        self._passed_s += seconds

    def monotonic_s(self) -> float:
        return self._passed_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self._passed_s)

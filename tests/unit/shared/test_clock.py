from datetime import UTC, datetime, timedelta

from asr_service.shared.clock import Clock, SystemClock


def test_durations_never_go_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic_s() for _ in range(100)]
    assert readings == sorted(readings)


def test_the_wall_clock_tells_the_time_in_utc() -> None:
    clock: Clock = SystemClock()
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)

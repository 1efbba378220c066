"""How late the loop is, on a clock that stands still."""

import asyncio

import pytest

from asr_service.infrastructure.monitoring.event_loop_lag import lag_measured, measure_lag
from asr_service.shared.clock import SystemClock
from tests.fakes.clocks import FakeClock


class SlowLoop:
    """Wakes a sleeper too late by so many seconds, one after another; then it is shut down."""

    def __init__(self, *lags_s: float) -> None:
        self.clock = FakeClock()
        self._lags_s = list(lags_s)

    async def sleep(self, seconds: float) -> None:
        if not self._lags_s:
            raise asyncio.CancelledError
        self.clock.advance(seconds + self._lags_s.pop(0))


async def test_each_sleep_is_reported_with_its_lag() -> None:
    loop = SlowLoop(0.0, 0.25, 0.001)
    lags_s: list[float] = []
    with pytest.raises(asyncio.CancelledError):
        await measure_lag(lags_s.append, loop.clock, sleep=loop.sleep)
    assert lags_s == pytest.approx([0.0, 0.25, 0.001])


async def test_a_timer_that_fires_early_is_not_late() -> None:
    loop = SlowLoop(-0.002)
    lags_s: list[float] = []
    with pytest.raises(asyncio.CancelledError):
        await measure_lag(lags_s.append, loop.clock, sleep=loop.sleep)
    assert lags_s == [0.0]


async def test_it_is_measured_until_the_block_ends() -> None:
    before = asyncio.all_tasks()
    async with lag_measured(lambda _lag_s: None, SystemClock()):
        assert len(asyncio.all_tasks()) == len(before) + 1
    assert asyncio.all_tasks() == before

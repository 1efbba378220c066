"""How late the event loop is: whatever holds it up holds up every session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from asr_service.shared.clock import Clock

INTERVAL_S = 0.05  # 20 wake-ups a second cost nothing that can be measured, and a longer hold-up is seen by one of them


async def measure_lag(
    observe: Callable[[float], None],
    clock: Clock,
    *,
    interval_s: float = INTERVAL_S,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> NoReturn:
    """Sleeps and reports, each time, by how many seconds it was woken too late; until it is cancelled."""
    while True:
        due_s = clock.monotonic_s() + interval_s
        await sleep(interval_s)
        observe(max(0.0, clock.monotonic_s() - due_s))


@asynccontextmanager
async def lag_measured(observe: Callable[[float], None], clock: Clock) -> AsyncIterator[None]:
    """Has the lag of the running loop measured while the block runs."""
    measuring = asyncio.create_task(measure_lag(observe, clock))
    try:
        yield
    finally:
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)

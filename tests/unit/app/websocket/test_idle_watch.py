"""When a client has been silent for too long."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from asr_service.app.api.v1.live.idle_watch import IdleWatch

TIMEOUT_S = 0.02


class Verdict:
    """Decides about a silence, and remembers that it was asked."""

    def __init__(self) -> None:
        self.is_end = True
        self.asked = asyncio.Semaphore(0)
        self.times_asked = 0

    def __call__(self) -> bool:
        self.times_asked += 1
        self.asked.release()
        return self.is_end

    async def wait(self) -> None:
        async with asyncio.timeout(5):
            await self.asked.acquire()


@pytest.fixture
async def verdict() -> Verdict:
    return Verdict()


@pytest.fixture
async def watch(verdict: Verdict) -> AsyncIterator[IdleWatch]:
    made = IdleWatch(TIMEOUT_S, verdict)
    yield made
    made.close()


async def some_time() -> None:
    """Several timeouts."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5 * TIMEOUT_S):
            await asyncio.Event().wait()


async def test_a_wait_that_lasts_is_told_of_once(watch: IdleWatch, verdict: Verdict) -> None:
    watch.wait_begins()
    await verdict.wait()
    await some_time()
    assert verdict.times_asked == 1


async def test_nobody_is_idle_while_nothing_is_waited_for(watch: IdleWatch, verdict: Verdict) -> None:
    await some_time()
    watch.wait_begins()
    watch.wait_ends()
    await some_time()
    assert verdict.times_asked == 0


async def test_short_waits_do_not_add_up(watch: IdleWatch, verdict: Verdict) -> None:
    loop = asyncio.get_running_loop()
    until_s = loop.time() + 5 * TIMEOUT_S
    while loop.time() < until_s:
        watch.wait_begins()
        await asyncio.to_thread(lambda: None)
        watch.wait_ends()
    assert verdict.times_asked == 0
    watch.wait_begins()
    await verdict.wait()


async def test_a_silence_that_is_no_end_may_last_as_long_again(watch: IdleWatch, verdict: Verdict) -> None:
    verdict.is_end = False
    watch.wait_begins()
    await verdict.wait()
    await verdict.wait()
    verdict.is_end = True
    await verdict.wait()
    await some_time()
    assert verdict.times_asked == 3


async def test_what_is_closed_watches_no_more(watch: IdleWatch, verdict: Verdict) -> None:
    watch.wait_begins()
    watch.close()
    await some_time()
    assert verdict.times_asked == 0

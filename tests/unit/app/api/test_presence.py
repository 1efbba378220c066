"""Work for somebody who waits, or does not."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from asr_service.app.api.presence import while_connected
from asr_service.app.api.v1.live.outbox import ClientGone
from tests.fixtures.tidiness import everybody_waits

pytestmark = pytest.mark.usefixtures("tidy")


def _request(*messages: Message) -> Request:
    waiting = list(messages)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    return Request({"type": "http"}, receive)


async def test_who_waits_gets_the_result() -> None:
    async def work() -> int:
        await everybody_waits()
        return 7

    assert await while_connected(_request({"type": "http.request"}), work()) == 7


async def test_who_waits_gets_the_failure() -> None:
    async def work() -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await while_connected(_request(), work())


async def test_the_work_for_who_leaves_is_broken_off() -> None:
    broken_off: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            broken_off.append(True)
            raise

    with pytest.raises(ClientGone):
        await while_connected(_request({"type": "http.request"}, {"type": "http.disconnect"}), work())
    assert broken_off == [True]


async def test_whoever_is_cancelled_takes_the_work_along() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    waiting = asyncio.create_task(while_connected(_request(), work()))
    await everybody_waits()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

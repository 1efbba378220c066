"""The inbox of a session: bounded for the client, open for answers, and closed without leaving anybody waiting."""

import asyncio

import pytest

from asr_service.app.services.session_inbox import SessionInbox
from tests.fixtures.tidiness import everybody_waits

pytestmark = pytest.mark.usefixtures("tidy")

KB = 1_024


async def test_the_client_is_heard_in_order() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    await inbox.put("first", 10)
    await inbox.put("second", 10)
    assert [await inbox.next(), await inbox.next()] == ["first", "second"]


async def test_answers_go_before_what_the_client_sent() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    await inbox.put("audio", 10)
    assert not inbox.has_answers
    inbox.answer("one")
    inbox.answer("two")
    assert inbox.has_answers
    assert [await inbox.next(), await inbox.next(), await inbox.next()] == ["one", "two", "audio"]


async def test_an_answer_can_be_taken_while_the_client_waits() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    await inbox.put("audio", 10)
    taking = asyncio.create_task(inbox.next_answer())
    await everybody_waits()
    assert not taking.done()
    inbox.answer("one")
    assert await taking == "one"
    assert await inbox.next() == "audio"


async def test_a_full_lane_makes_the_client_wait_until_something_is_taken() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    await inbox.put("first", 600)
    waiting = asyncio.create_task(inbox.put("second", 600))
    await everybody_waits()
    assert not waiting.done()
    assert await inbox.next() == "first"
    await waiting
    assert await inbox.next() == "second"


async def test_what_is_larger_than_the_lane_passes_alone() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    await inbox.put("huge", 100 * KB)
    waiting = asyncio.create_task(inbox.put("next", 1))
    await everybody_waits()
    assert not waiting.done()
    assert await inbox.next() == "huge"
    await waiting


async def test_items_without_a_payload_fill_the_lane_too() -> None:
    inbox: SessionInbox[int, str] = SessionInbox(8 * KB)
    put: list[int] = []

    async def flood() -> None:
        for number in range(10_000):
            await inbox.put(number)
            put.append(number)

    flooding = asyncio.create_task(flood())
    await everybody_waits()
    assert len(put) == 32  # 8 KiB of 256 bytes each
    flooding.cancel()
    await asyncio.gather(flooding, return_exceptions=True)


async def test_closing_frees_whoever_waits_for_room() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    await inbox.put("first", KB)
    waiting = [asyncio.create_task(inbox.put("more", KB)) for _ in range(3)]
    await everybody_waits()
    inbox.close()
    await asyncio.gather(*waiting)


async def test_a_closed_inbox_drops_what_comes() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    inbox.close()
    for _ in range(100):
        await inbox.put("late", KB)
    reading = asyncio.create_task(inbox.next())
    await everybody_waits()
    assert not reading.done()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_reader_that_gives_up_takes_nothing_along() -> None:
    inbox: SessionInbox[str, str] = SessionInbox(KB)
    reading = asyncio.create_task(inbox.next())
    await everybody_waits()
    reading.cancel()
    await inbox.put("kept", 1)
    await asyncio.gather(reading, return_exceptions=True)
    assert await inbox.next() == "kept"

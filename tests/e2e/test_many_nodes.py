"""Several servers on one PostgreSQL and one Redis: any of them knows, follows and ends the sessions of the others."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.fixtures.breakable_proxy import breakable_proxy
from tests.fixtures.recordings import Clip
from tests.fixtures.redis import RedisServer
from tests.fixtures.server import RunningServer, StartServer
from tests.fixtures.speakers import Heard, Speaker, listen

PAUSE = bytes(16_000 * 2 * 7 // 10)  # 700 ms, in which an utterance ends
Event = dict[str, Any]

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def settings(postgres_url: str, redis_url: str) -> dict[str, str]:
    """Of servers that share everything."""
    return {"ASR_DATABASE__URL": postgres_url, "ASR_EVENTS__URL": redis_url, "ASR_SERVER__MAX_LOAD": "0"}


@pytest.fixture
def servers(start_server: StartServer, settings: dict[str, str]) -> list[RunningServer]:
    return [start_server(**settings) for _ in range(2)]


@pytest.fixture
def pcm(english_clip: Clip, short_english_clip: Clip) -> bytes:
    return PAUSE.join([short_english_clip.pcm, english_clip.pcm, short_english_clip.pcm]) + PAUSE


async def is_so(look: Callable[[], Awaitable[Event]], **fields: Any) -> Event:
    """What is seen, as soon as the fields have these values."""
    while True:
        seen = await look()
        if fields.items() <= seen.items():
            return seen


async def followed(server: RunningServer, session_id: str) -> list[Event]:
    """Everything that a follower is told, from the moment on at which the session is known to the end."""
    url = f"{server.http_url}/api/v1/sessions/{session_id}"
    events = []
    async with httpx.AsyncClient(timeout=60) as client:
        while (await client.get(url)).status_code == 404:
            pass
        async with client.stream("GET", f"{url}/events") as answer:
            name = ""
            async for line in answer.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    events.append({"event": name, **json.loads(value)})
    return events


async def test_a_session_is_followed_over_the_death_of_its_server(servers: list[RunningServer], pcm: bytes) -> None:
    first, second = servers
    whole = await listen(second.http_url, Speaker(pcm, speed=8), language="en")
    speaker, heard = Speaker(pcm, speed=1), Heard()
    async with breakable_proxy(first.http_url) as proxy, httpx.AsyncClient(base_url=second.http_url) as client:

        async def session() -> Event:
            found: Event = (await client.get(f"/api/v1/sessions/{heard.session_id}")).json()
            return found

        listening = asyncio.create_task(listen(proxy.url, speaker, heard, language="en"))
        await heard.online.wait()
        following = asyncio.create_task(followed(second, heard.session_id))
        await speaker.said(0.4)
        proxy.refusing = True
        first.kill()
        interrupted = await is_so(session, status="interrupted")
        proxy.target_port, proxy.refusing = second.port, False
        await is_so(session, status="listening")
        await listening
        events = await following

    assert interrupted["resumable_until"] is not None
    assert (heard.said, heard.reason) == (whole.said, "completed")
    assert heard.resumed >= 1
    finals = [(event["utterance"], event["text"]) for event in events if event["event"] == "final"]
    assert [final for final in finals if final[1]] == [(number, text) for number, _, _, text in whole.said if text]
    statuses = [event["status"] for event in events if event["event"] == "session"]
    assert (statuses[0], statuses[-1]) == ("listening", "closed")
    results = second.get(f"/api/v1/sessions/{heard.session_id}/results", limit=200).json()["items"]
    assert [(item["utterance"], item["text"]) for item in results] == [final for final in finals if final[1]]


async def test_text_goes_on_while_redis_is_away_and_is_stored_when_it_is_back(
    servers: list[RunningServer], redis_server: RedisServer, short_english_clip: Clip
) -> None:
    first, second = servers
    speaker = Speaker((short_english_clip.pcm + PAUSE) * 3, speed=2)
    listening = asyncio.create_task(listen(first.http_url, speaker, language="en"))
    await speaker.said(0.2)
    await asyncio.to_thread(redis_server.kill)
    try:
        await speaker.said(0.8)
    finally:
        await asyncio.to_thread(redis_server.start)
    heard = await listening
    assert (heard.reason, heard.resumed, len(heard.finals)) == ("completed", 0, 3)

    async def results() -> Event:
        answer = await asyncio.to_thread(second.get, f"/api/v1/sessions/{heard.session_id}/results")
        return {"texts": [item["text"] for item in answer.json().get("items", ())]}

    await is_so(results, texts=[final.text for final in heard.finals])
    for server in servers:
        server.assert_stops_cleanly()


async def test_a_session_is_cancelled_from_another_server(servers: list[RunningServer], pcm: bytes) -> None:
    first, second = servers
    heard = Heard()
    listening = asyncio.create_task(listen(first.http_url, Speaker(pcm, speed=1), heard, language="en"))
    await heard.online.wait()
    async with httpx.AsyncClient(base_url=second.http_url) as client:
        path = f"/api/v1/sessions/{heard.session_id}"
        while (await client.post(f"{path}/cancel")).status_code == 404:
            pass  # its beginning is not stored yet
        await listening

        async def session() -> Event:
            found: Event = (await client.get(path)).json()
            return found

        closed = await is_so(session, status="closed")
    assert (heard.reason, closed["end_reason"]) == ("session_cancelled", "cancelled")

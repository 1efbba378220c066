"""Several servers behind a load balancer, on one PostgreSQL: one may die, each may be restarted, the database may go."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.balancer import running
from tests.fixtures.haproxy import HaProxy
from tests.fixtures.nginx import Nginx
from tests.fixtures.poller import polling
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer
from tests.fixtures.speakers import Heard, Speaker, listen

PAUSE = bytes(16_000 * 2 * 7 // 10)  # 700 ms, in which an utterance ends
SPEAKERS = 4

pytestmark = pytest.mark.timeout(240)


def talk(*clips: Clip) -> bytes:
    """The recordings, one after the other, with pauses."""
    return PAUSE.join([clip.pcm for clip in clips]) + PAUSE


@pytest.fixture
def settings(postgres_url: str) -> dict[str, str]:
    """Of servers that share a database, and let everybody in."""
    return {"ASR_DATABASE__URL": postgres_url, "ASR_SERVER__MAX_LOAD": "0"}


@pytest.fixture
def servers(start_server: StartServer, settings: dict[str, str]) -> list[RunningServer]:
    return [start_server(**settings) for _ in range(2)]


@pytest.fixture
def pcm(english_clip: Clip, short_english_clip: Clip) -> bytes:
    return talk(short_english_clip, english_clip)


@pytest.fixture
def nginx(servers: list[RunningServer], tmp_path: Path) -> Iterator[str]:
    """The address of a balancer in front of the servers."""
    with running(Nginx(tmp_path, [server.port for server in servers])) as balancer:
        yield balancer.url


@pytest.fixture
def haproxy(servers: list[RunningServer], tmp_path: Path) -> Iterator[str]:
    """The address of a balancer in front of the servers."""
    with running(HaProxy(tmp_path, [server.port for server in servers])) as balancer:
        yield balancer.url


def results_of(server: RunningServer, heard: Heard) -> list[tuple[int, str]]:
    items: list[dict[str, Any]] = server.get(f"/api/v1/sessions/{heard.session_id}/results", limit=200).json()["items"]
    return [(item["utterance"], item["text"]) for item in items]


def told(heard: Heard) -> list[tuple[int, str]]:
    """What of a stream is stored: finals with words."""
    return [(final.utterance, final.text) for final in heard.finals if final.text]


async def test_sessions_of_a_server_that_is_killed_go_on_at_the_other(
    servers: list[RunningServer], nginx: str, pcm: bytes
) -> None:
    whole = await listen(nginx, Speaker(pcm, speed=8), language="en")
    speakers = [Speaker(pcm, speed=2) for _ in range(SPEAKERS)]
    listening = [asyncio.create_task(listen(nginx, speaker, language="en")) for speaker in speakers]
    await speakers[-1].said(0.4)
    held = [server.metric("asr_sessions_active") for server in servers]
    servers[0].kill()
    streams = await asyncio.gather(*listening)

    assert sum(held) == SPEAKERS
    assert sum(heard.resumed > 0 for heard in streams) == held[0] > 0
    for heard in streams:
        assert (heard.said, heard.failed, heard.reason) == (whole.said, 0, "completed")
        assert results_of(servers[1], heard) == told(heard)


async def test_both_servers_are_restarted_and_nobody_misses_anything(
    start_server: StartServer, settings: dict[str, str], servers: list[RunningServer], haproxy: str, pcm: bytes
) -> None:
    whole = await listen(haproxy, Speaker(pcm, speed=8), language="en")
    speakers = [Speaker(pcm, speed=1) for _ in range(SPEAKERS)]
    listening = [asyncio.create_task(listen(haproxy, speaker, language="en")) for speaker in speakers]
    async with polling(haproxy) as poller:
        await speakers[-1].said(0.2)
        exit_codes = []
        for server in servers:
            exit_codes.append(await asyncio.to_thread(server.stop))
            await asyncio.to_thread(start_server, server.port, **settings)
        streams = await asyncio.gather(*listening)

    assert exit_codes == [0, 0]
    assert (poller.failures, poller.answers > 0) == ([], True)
    assert sum(heard.resumed for heard in streams) >= SPEAKERS
    for heard in streams:
        assert (heard.said, heard.failed, heard.reason) == (whole.said, 0, "completed")


async def test_text_goes_on_while_the_database_is_away_and_is_stored_when_it_is_back(
    start_server: StartServer,
    settings: dict[str, str],
    postgres_server: PostgresServer,
    short_english_clip: Clip,
) -> None:
    # The fixture's server does not wait for the log to be written; an operator's does.
    database = settings["ASR_DATABASE__URL"].rpartition("/")[2]
    postgres_server.query(f"alter database {database} set synchronous_commit = on")
    server = start_server(**settings)
    pcm = talk(*[short_english_clip] * 3)
    whole = await listen(server.http_url, Speaker(pcm, speed=8), language="en")
    heard, speaker = Heard(), Speaker(pcm, speed=2)
    listening = asyncio.create_task(listen(server.http_url, speaker, heard, language="en"))
    await speaker.said(0.2)
    await asyncio.to_thread(postgres_server.kill)
    try:
        await speaker.said(0.8)
    finally:
        await asyncio.to_thread(postgres_server.start)
    await listening

    assert [final.durable for final in heard.finals].count(False) >= 1
    assert (heard.said, heard.resumed, heard.reason) == (whole.said, 0, "completed")
    server.assert_stops_cleanly()
    assert results_of(start_server(**settings), heard) == told(heard)

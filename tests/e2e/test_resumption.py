"""Live sessions outlive their connection and their server: no word is lost, none comes twice."""

import asyncio
from random import Random

import pytest

from tests.fixtures.breakable_proxy import BreakableProxy, breakable_proxy
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer, StartServer
from tests.fixtures.speakers import Speaker, listen

CUTS = 20
PAUSE = bytes(16_000 * 2 * 7 // 10)  # 700 ms, in which an utterance ends

pytestmark = pytest.mark.timeout(240)


def talk(*clips: Clip) -> bytes:
    """The recordings, one after the other, with pauses."""
    return PAUSE.join([clip.pcm for clip in clips]) + PAUSE


async def cut_now_and_then(proxy: BreakableProxy, speaker: Speaker, chance: Random) -> None:
    """Breaks the connection at random places of the speech; one time in three the network is gone for a while."""
    for place in sorted(chance.random() for _ in range(CUTS)):
        await speaker.said(place)
        proxy.refusing = chance.random() < 1 / 3
        proxy.cut()
        if proxy.refusing:
            await asyncio.sleep(chance.uniform(0.1, 0.5))  # what a network takes to come back
            proxy.refusing = False


async def test_a_stream_that_is_cut_twenty_times_is_told_the_same_as_one_that_is_not(
    server: RunningServer, english_clip: Clip, short_english_clip: Clip
) -> None:
    pcm = talk(english_clip, short_english_clip, english_clip)
    whole = await listen(server.http_url, Speaker(pcm, speed=8), language="en")
    speaker = Speaker(pcm, speed=3)
    async with breakable_proxy(server.http_url) as proxy:
        cutting = asyncio.create_task(cut_now_and_then(proxy, speaker, Random(20)))
        cut = await listen(proxy.url, speaker, language="en")
        await cutting

    assert cut.resumed >= CUTS // 2, "others hit while it was away"
    assert cut.said == whole.said
    assert [utterance for utterance, *_ in cut.said] == list(range(len(cut.said)))
    assert cut.reason == "completed"
    first = [text for _, start_ms, _, text in cut.said if start_ms < english_clip.duration_ms]
    assert english_clip.errors_in(" ".join(first)) <= 0.1


@pytest.mark.parametrize("journal", ["SQLite", "Redis"])
async def test_sessions_outlive_a_server_that_is_killed(
    journal: str, start_server: StartServer, redis_url: str, english_clip: Clip, short_english_clip: Clip
) -> None:
    settings = {"ASR_JOURNAL__URL": redis_url} if journal == "Redis" else {}
    first = start_server(**settings)
    pcm = talk(english_clip, short_english_clip, english_clip)
    whole = await listen(first.http_url, Speaker(pcm, speed=8), language="en")
    speakers = [Speaker(pcm, speed=2) for _ in range(4)]
    async with breakable_proxy(first.http_url) as proxy:
        listening = [asyncio.create_task(listen(proxy.url, speaker, language="en")) for speaker in speakers]
        await speakers[0].said(0.5)
        first.kill()
        second = await asyncio.to_thread(start_server, **settings)
        proxy.target_port = second.port
        streams = await asyncio.gather(*listening)

    for heard in streams:
        assert heard.resumed >= 1
        assert heard.said == whole.said
        assert heard.reason == "completed"


async def test_a_server_that_is_stopped_hands_its_sessions_over(
    start_server: StartServer, english_clip: Clip, short_english_clip: Clip
) -> None:
    first, second = start_server(), start_server()
    pcm = talk(english_clip, short_english_clip, english_clip)
    whole = await listen(first.http_url, Speaker(pcm, speed=8), language="en")
    speakers = [Speaker(pcm, speed=2) for _ in range(3)]
    async with breakable_proxy(first.http_url) as proxy:
        listening = [asyncio.create_task(listen(proxy.url, speaker, language="en")) for speaker in speakers]
        await speakers[0].said(0.5)
        proxy.target_port = second.port
        exit_code = await asyncio.to_thread(first.stop)
        streams = await asyncio.gather(*listening)

    assert exit_code == 0
    assert [event["active"] for event in first.events("drain_ended")] == [0]
    for heard in streams:
        assert (heard.resumed, heard.said, heard.reason) == (1, whole.said, "completed")

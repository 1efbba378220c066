"""No session leaves anything in another, or behind. ``make trust PART=sessions`` has a thousand of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from asr_service.infrastructure.artifacts.recordings import Recording
from scripts.benchmarks.many_sessions import broken_off, half_closed
from scripts.benchmarks.processes import rss_bytes
from tests.fixtures.native_client import stream
from tests.fixtures.recordings import pcm_of
from tests.fixtures.server import RunningServer, eventually

MARGIN = bytes(9_600)  # 300 ms
SEQUENTIAL_ROUNDS = 2
GROWTH_ALLOWED_BYTES = 64 << 20  # what is kept of each connection was 100 MB in services that leak


@dataclass(frozen=True, slots=True)
class Speaker:
    """What one session sends."""

    pcm: bytes
    hotwords: list[str] = field(default_factory=list)

    async def text(self, server: RunningServer) -> str:
        """What it is answered."""
        return (await stream(server.ws_url, self.pcm, hotwords=self.hotwords)).text


@pytest.fixture(scope="module")
def speakers(recordings: Sequence[Recording]) -> list[Speaker]:
    """Phrases in several languages, each with a text of its own; two of them are said with hotwords as well."""
    plain = [Speaker(MARGIN + pcm_of(recording.path) + MARGIN) for recording in recordings[:6]]
    return plain + [Speaker(speaker.pcm, ["Xanthippe", "quinoa"]) for speaker in plain[:2]]


async def test_texts_are_the_same_one_after_the_other_and_side_by_side(
    server: RunningServer, speakers: list[Speaker]
) -> None:
    rounds = [[await speaker.text(server) for speaker in speakers] for _ in range(SEQUENTIAL_ROUNDS)]
    stream_url = f"{server.ws_url}/api/v1/stream"
    broken = [broken_off(stream_url, speaker.pcm, number) for number, speaker in enumerate(speakers)]
    left = [half_closed(stream_url, speaker.pcm) for speaker in speakers[:2]]

    side_by_side, *_ = await asyncio.gather(
        asyncio.gather(*(speaker.text(server) for speaker in speakers)), *broken, *left
    )

    assert len(set(rounds[0])) > 4
    assert rounds[1:] == [rounds[0]] * (SEQUENTIAL_ROUNDS - 1)
    assert side_by_side == rounds[0]
    eventually(lambda: server.metric("asr_sessions_active") == 0, "no session is left")
    assert server.metric("asr_queue_items", queue="recognizer") == 0


async def test_connections_that_break_off_do_not_pile_up_in_memory(
    server: RunningServer, speakers: list[Speaker]
) -> None:
    stream_url = f"{server.ws_url}/api/v1/stream"
    await asyncio.gather(*(broken_off(stream_url, speaker.pcm, 1) for speaker in speakers))
    before = rss_bytes(server.pid)

    for number in range(100):
        await broken_off(stream_url, speakers[number % len(speakers)].pcm, number)

    eventually(lambda: server.metric("asr_sessions_active") == 0, "no session is left")
    assert rss_bytes(server.pid) - before < GROWTH_ALLOWED_BYTES

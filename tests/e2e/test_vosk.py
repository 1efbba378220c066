"""Clients of vosk-server are served in lock-step, with the right text."""

import pytest
from websockets.exceptions import ConnectionClosedOK

from asr_service.infrastructure.artifacts.recordings import Recording
from tests.fixtures.funasr_client import paced
from tests.fixtures.recordings import Clip, resampled
from tests.fixtures.server import RunningServer
from tests.fixtures.spoken_text import error_rate
from tests.fixtures.vosk_client import connected, text_of

PACKET_BYTES = 8_000  # as the sample client reads a file
FASTER_THAN_SPEECH = 2.0


async def test_the_loop_of_the_sample_client_shows_partials_and_results(
    server: RunningServer, english_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/vosk") as client:
        await client.configure(sample_rate=16_000)
        answers = await client.recognize(paced(english_clip.pcm, PACKET_BYTES, FASTER_THAN_SPEECH))
        with pytest.raises(ConnectionClosedOK):
            await client.receive()

    assert english_clip.errors_in(text_of(answers)) <= 0.1
    results = [answer for answer in answers if answer.get("text")]
    assert len(results) == 2
    assert results[0] is not answers[-1]  # the first is told while audio comes in
    assert any(answer.get("partial") for answer in answers)
    assert all(("partial" in answer) is not ("text" in answer) for answer in answers)
    words = [word for result in results for word in result["result"]]
    assert " ".join(word["word"] for word in words) == text_of(answers)
    edges = [edge for word in words for edge in (word["start"], word["end"])]
    assert edges == sorted(edges)
    assert edges[-1] <= english_clip.duration_ms / 1_000


async def test_a_client_without_configuration_is_a_telephone(server: RunningServer, telephone: list[Recording]) -> None:
    spoken = max(telephone, key=lambda recording: len(recording.reference))
    pcm = b"".join(frame.to_ndarray().tobytes() for frame in resampled(spoken.path, "s16", "mono", 8_000))

    async with connected(f"{server.ws_url}/vosk") as client:
        answers = await client.recognize(paced(pcm, 1_600, speed=None))

    assert error_rate(spoken.reference, text_of(answers), spoken.language) <= 0.2, answers[-1]


async def test_a_reset_is_answered_with_the_text_so_far_and_times_go_on(
    server: RunningServer, short_english_clip: Clip, mandarin_clip: Clip
) -> None:
    async with connected(f"{server.ws_url}/vosk") as client:
        await client.configure(sample_rate=16_000, max_alternatives=1)
        for start in range(0, len(short_english_clip.pcm), PACKET_BYTES):
            await client.ask(short_english_clip.pcm[start : start + PACKET_BYTES])
        await client.socket.send('{"reset" : 1}')
        (english,) = (await client.receive())["alternatives"]
        await client.configure(max_alternatives=0)
        answers = await client.recognize(paced(mandarin_clip.pcm, PACKET_BYTES, speed=None))

    assert short_english_clip.errors_in(english["text"]) == 0
    assert 0 < english["confidence"] <= 1
    assert mandarin_clip.errors_in(text_of(answers)) <= 0.1
    first_word = next(answer["result"][0] for answer in answers if "result" in answer)
    assert first_word["start"] >= short_english_clip.duration_ms / 1_000

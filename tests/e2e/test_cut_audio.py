"""Speech that begins or ends with the audio keeps its first and last word. ``make trust PART=cuts`` makes hundreds of cuts."""

import asyncio

import pytest

from scripts.benchmarks.cuts import word_fates
from scripts.benchmarks.speech_edges import sound_end_ms, sound_start_ms
from tests.fixtures import funasr_client
from tests.fixtures.native_client import Dialogue, stream
from tests.fixtures.recordings import Clip
from tests.fixtures.server import RunningServer
from tests.fixtures.spoken_text import spoken_units

BYTES_PER_MS = 32


@pytest.fixture(params=["en", "zh"])
def clip(request: pytest.FixtureRequest, sample_clips: dict[str, Clip]) -> Clip:
    """A recording of each language."""
    return sample_clips[request.param]


async def heard(server: RunningServer, clip: Clip, pcm: bytes) -> Dialogue:
    dialogue = await stream(server.ws_url, pcm, language=clip.language)
    assert dialogue.messages[-1]["type"] == "ended"
    return dialogue


async def test_the_last_word_is_heard_wherever_the_audio_ends_after_it(server: RunningServer, clip: Clip) -> None:
    whole = await heard(server, clip, clip.pcm)
    last = whole.of("final")[-1]["words"][-1]
    end_ms = sound_end_ms(clip.pcm, last["start_ms"], last["end_ms"])
    cuts = [
        clip.pcm[: (end_ms + kept_ms) * BYTES_PER_MS] + bytes(silence_ms * BYTES_PER_MS)
        for kept_ms, silence_ms in ((0, 0), (20, 0), (60, 50), (100, 200), (160, 0))
    ]

    dialogues = await asyncio.gather(*(heard(server, clip, pcm) for pcm in cuts))

    expected = spoken_units(whole.text, clip.language)
    fates = [word_fates(expected, spoken_units(dialogue.text, clip.language))[-1] for dialogue in dialogues]
    assert fates == ["kept"] * len(cuts), [dialogue.text for dialogue in dialogues]


async def test_the_first_word_is_heard_however_long_the_silence_before_it(server: RunningServer, clip: Clip) -> None:
    whole = await heard(server, clip, clip.pcm)
    first = whole.of("final")[0]["words"][0]
    start_ms = sound_start_ms(clip.pcm, first["start_ms"], first["end_ms"])
    cuts = [
        bytes(silence_ms * BYTES_PER_MS) + clip.pcm[(start_ms - kept_ms) * BYTES_PER_MS :]
        for kept_ms, silence_ms in ((0, 0), (60, 5_000), (100, 30_000))
    ]

    dialogues = await asyncio.gather(*(heard(server, clip, pcm) for pcm in cuts))

    expected = spoken_units(whole.text, clip.language)
    fates = [word_fates(expected, spoken_units(dialogue.text, clip.language))[0] for dialogue in dialogues]
    assert fates == ["kept"] * len(cuts), [dialogue.text for dialogue in dialogues]


async def test_all_that_was_sent_is_heard_if_the_end_comes_at_once(server: RunningServer, clip: Clip) -> None:
    pcm = clip.pcm * 4
    at_the_pace_of_speech = await stream(server.ws_url, pcm, speed=16.0, language=clip.language)

    at_once = await stream(server.ws_url, pcm, packet_bytes=len(pcm), language=clip.language)

    assert at_once.text == at_the_pace_of_speech.text
    assert at_once.only("ended")["final_ms"] == len(pcm) // BYTES_PER_MS


async def test_the_stop_of_funasr_loses_no_last_word(server: RunningServer, clip: Clip) -> None:
    whole = await heard(server, clip, clip.pcm)
    last = whole.of("final")[-1]["words"][-1]
    pcm = clip.pcm[: sound_end_ms(clip.pcm, last["start_ms"], last["end_ms"]) * BYTES_PER_MS]

    async with funasr_client.connected(f"{server.ws_url}/ws") as client:
        frames = await client.recognize(pcm, "offline", svs_lang=clip.language)

    assert spoken_units(frames[-1]["text"], clip.language)[-1] == spoken_units(whole.text, clip.language)[-1]

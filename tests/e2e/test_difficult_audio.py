"""Audio as bad equipment sends it: its text comes all the same, or close to it."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asr_service.infrastructure.artifacts.recordings import Recording
from scripts.benchmarks.cuts import word_fates
from scripts.benchmarks.monologue import without_pauses
from tests.fixtures.native_client import Dialogue, stream
from tests.fixtures.recordings import Clip, pcm_of
from tests.fixtures.server import RunningServer
from tests.fixtures.sounds import as_pcm, from_pcm
from tests.fixtures.spoken_text import spoken_units

FLOATS = {"encoding": "pcm_f32le"}


def float_bytes(samples: NDArray[np.float64]) -> bytes:
    return samples.astype("<f4").tobytes()


async def test_floats_that_are_no_numbers_or_far_too_large_are_survived(
    server: RunningServer, short_english_clip: Clip
) -> None:
    samples = from_pcm(short_english_clip.pcm).copy()
    samples[::4_001] = np.nan
    samples[1_000::8_003] = np.inf
    samples[2_000::8_009] = -np.inf
    samples[3_000:3_010] = 1e30

    dialogue = await stream(server.ws_url, float_bytes(samples), audio=FLOATS, language="en")

    assert short_english_clip.errors_in(dialogue.text) <= 0.1, dialogue.text
    assert dialogue.only("ended")["final_ms"] == short_english_clip.duration_ms


async def test_nothing_but_numbers_that_are_none_is_silence(server: RunningServer) -> None:
    dialogue = await stream(server.ws_url, float_bytes(np.full(32_000, np.nan)), audio=FLOATS)

    assert dialogue.kinds == ["started", "ended"]


async def test_speech_that_is_recorded_far_too_loud_is_understood(
    server: RunningServer, short_english_clip: Clip
) -> None:
    samples = from_pcm(short_english_clip.pcm)
    clipped = np.clip(samples * 10, -1, 1)
    assert np.mean(np.abs(clipped) == 1) > 0.05

    dialogue = await stream(server.ws_url, as_pcm(clipped), language="en")

    assert short_english_clip.errors_in(dialogue.text) <= 0.1, dialogue.text


async def test_a_constant_offset_changes_nothing(server: RunningServer, short_english_clip: Clip) -> None:
    samples = from_pcm(short_english_clip.pcm)

    clean = await stream(server.ws_url, short_english_clip.pcm, language="en")
    offset = await stream(server.ws_url, as_pcm(samples * 0.7 + 0.25), language="en")

    assert offset.text == clean.text


async def test_a_dead_channel_beside_the_speech_changes_nothing(
    server: RunningServer, short_english_clip: Clip
) -> None:
    mono = np.frombuffer(short_english_clip.pcm, "<i2")
    stereo = np.stack([np.zeros_like(mono), mono], axis=1).tobytes()

    clean = await stream(server.ws_url, short_english_clip.pcm, language="en")
    half_dead = await stream(server.ws_url, stereo, audio={"channels": 2}, language="en")

    assert half_dead.text == clean.text


async def test_speech_without_a_pause_is_cut_and_nothing_between_is_lost(
    server: RunningServer, librivox: list[Recording]
) -> None:
    read = [recording for recording in librivox if "librivox" in recording.name] * 2  # by one person, 40 s
    speech = b"".join(without_pauses(pcm_of(recording.path)) for recording in read)

    dialogue = await stream(server.ws_url, speech, partials={"enabled": False}, language="en")

    assert_covered(dialogue, len(speech) // 32)
    assert any(message["forced"] for message in dialogue.of("speech_ended"))
    expected = spoken_units(" ".join(recording.reference for recording in read), "en")
    fates = word_fates(expected, spoken_units(dialogue.text, "en"))
    assert fates.count("lost") <= 0.05 * len(fates), dialogue.text


def assert_covered(dialogue: Dialogue, duration_ms: int) -> None:
    """Each cut is where the last one was; no audio lies between."""
    gaps_ms = [later["start_ms"] - earlier["end_ms"] for earlier, later in pairwise(dialogue.of("speech_ended"))]
    assert gaps_ms == [0] * len(gaps_ms)
    assert dialogue.only("ended")["final_ms"] == duration_ms

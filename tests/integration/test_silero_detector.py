"""The real Silero model: equal to its reference use, right about real speech, and clear about wrong files."""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES, VoiceActivityUnavailable
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from asr_service.infrastructure.vad.energy_gate import SETTLING_WINDOWS
from asr_service.infrastructure.vad.silero_detector import SileroVoiceActivityDetector
from tests.fixtures.catalogue_files import folder_of, silero_model
from tests.fixtures.sounds import as_pcm, babble, noise, tone

PHRASES = ["en/counting.wav", "en/hello_world.wav", "en/quick_brown_fox.wav", "zh/jishu.wav"]


@pytest.fixture
async def detector() -> AsyncIterator[SileroVoiceActivityDetector]:
    detector = SileroVoiceActivityDetector(silero_model())
    yield detector
    await detector.close()


def whole_windows(pcm: bytes) -> bytes:
    return pcm[: len(pcm) - len(pcm) % WINDOW_BYTES]


async def phrase(name: str) -> bytes:
    decoder = PyAvAudioDecoder(max_file_seconds=60, max_container_bytes=0)
    return whole_windows(b"".join([block async for block in decoder.decode_file(folder_of("phrases") / name)]))


def reference_probabilities(pcm: bytes) -> list[float]:
    """The use that the model's authors show: one window at a time, the last 64 samples before it, the state handed on."""
    session = onnxruntime.InferenceSession(silero_model(), providers=["CPUExecutionProvider"])
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    probabilities = []
    for window in (np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768).reshape(-1, 1, WINDOW_SAMPLES):
        inputs = np.concatenate([context, window], axis=1)
        output, state = session.run(None, {"input": inputs, "state": state, "sr": np.array(16_000, np.int64)})
        probabilities.append(float(output[0, 0]))
        context = window[:, -64:]
    return probabilities


async def test_the_probabilities_are_those_of_the_reference_use(detector: SileroVoiceActivityDetector) -> None:
    pcm = whole_windows(as_pcm(babble(4, seed=1)))
    assert await detector.open_stream().observe(pcm) == pytest.approx(reference_probabilities(pcm), abs=1e-5)


@pytest.mark.parametrize("name", PHRASES)
async def test_real_speech_is_found(detector: SileroVoiceActivityDetector, name: str) -> None:
    speech = await phrase(name)
    probabilities = await detector.open_stream().observe(speech)
    share = sum(probability >= 0.5 for probability in probabilities) / len(probabilities)
    assert share > 0.4
    assert probabilities == pytest.approx(reference_probabilities(speech), abs=0.02)


async def test_a_batch_of_a_hundred_streams_changes_nothing(detector: SileroVoiceActivityDetector) -> None:
    pcm = await phrase("en/counting.wav")
    alone = await detector.open_stream().observe(pcm)
    hubbub = as_pcm(babble(10))
    others = [hubbub[start : start + 30 * WINDOW_BYTES] for start in range(0, 100 * 2_000, 2_000)]
    among_others, *_ = await asyncio.gather(
        detector.open_stream().observe(pcm), *(detector.open_stream().observe(other) for other in others)
    )
    assert among_others == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("seconds", [5, 30])
async def test_speech_after_long_silence_is_found_as_soon_as_without_it(
    detector: SileroVoiceActivityDetector, seconds: int
) -> None:
    speech = await phrase("en/quick_brown_fox.wav")
    before = whole_windows(await phrase("zh/jishu.wav") + bytes(32_000 * seconds))
    at_once = next(i for i, p in enumerate(await detector.open_stream().observe(speech)) if p >= 0.5)
    stream = detector.open_stream()
    await stream.observe(before)
    after_silence = next(i for i, p in enumerate(await stream.observe(speech)) if p >= 0.5)
    assert after_silence <= at_once + 1


@pytest.mark.parametrize(
    "sound", [noise(5, amplitude=0.01), noise(5, amplitude=0.2), tone(440, 5), tone(50, 5, amplitude=0.05)]
)
async def test_noise_and_tones_are_no_speech(
    detector: SileroVoiceActivityDetector, sound: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    probabilities = await detector.open_stream().observe(whole_windows(as_pcm(sound)))
    assert sum(probability >= 0.5 for probability in probabilities) <= 2


async def test_settled_silence_does_not_reach_the_model(detector: SileroVoiceActivityDetector) -> None:
    stream = detector.open_stream()
    probabilities = await stream.observe(bytes(100 * WINDOW_BYTES))
    assert all(probability > 0 for probability in probabilities[:SETTLING_WINDOWS])
    assert set(probabilities[SETTLING_WINDOWS:]) == {0.0}


async def test_a_closed_detector_says_so(detector: SileroVoiceActivityDetector) -> None:
    stream = detector.open_stream()
    await detector.close()
    with pytest.raises(VoiceActivityUnavailable, match="closed"):
        await stream.observe(as_pcm(babble(1))[:WINDOW_BYTES])
    assert detector.waiting == 0


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(VoiceActivityUnavailable, match=r"silero_vad\.onnx") as caught:
        SileroVoiceActivityDetector(tmp_path / "silero_vad.onnx")
    assert caught.value.hint is not None


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "silero_vad.onnx"
    damaged.write_bytes(silero_model().read_bytes()[:100_000])
    with pytest.raises(VoiceActivityUnavailable, match="cannot be used"):
        SileroVoiceActivityDetector(damaged)


def test_another_export_of_the_model_is_refused() -> None:
    # faster-whisper brings one that takes the windows of a single stream, with its state in two parts.
    other = Path(str(files("faster_whisper") / "assets" / "silero_vad_v6.onnx"))
    with pytest.raises(VoiceActivityUnavailable, match="its inputs are c, h, input"):
        SileroVoiceActivityDetector(other)

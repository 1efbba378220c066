"""Stand-ins for voice activity detection."""

import math
from array import array

from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES
from asr_service.domain.value_objects.session_checkpoint import CheckpointUnusable

SILENCE_DBFS = -60.0  # probability 0
SPEECH_DBFS = -20.0  # probability 1
_STATE = b"energy"


class EnergyVoiceActivityStream:
    """Takes loudness for speech; it has no memory."""

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        if len(pcm) % WINDOW_BYTES:
            raise ValueError(f"{len(pcm)} bytes are no whole number of windows")
        starts = range(0, len(pcm), WINDOW_BYTES)
        return tuple(loudness(pcm[start : start + WINDOW_BYTES]) for start in starts)

    def state(self) -> bytes:
        return _STATE


class EnergyVoiceActivity:
    """A detector for tests in which speech is a sound and a pause is silence; 0.5 lies at -40 dBFS."""

    def open_stream(self, state: bytes | None = None) -> EnergyVoiceActivityStream:
        if state not in (None, _STATE):
            raise CheckpointUnusable("This is no state of the energy detector.")
        return EnergyVoiceActivityStream()


def loudness(window: bytes) -> float:
    """Where the level of a window lies between ``SILENCE_DBFS`` and ``SPEECH_DBFS``, in 0–1."""
    power = sum(sample * sample for sample in array("h", window)) / WINDOW_SAMPLES / 32_768**2
    if power == 0:
        return 0.0
    return min(1.0, max(0.0, (10 * math.log10(power) - SILENCE_DBFS) / (SPEECH_DBFS - SILENCE_DBFS)))

"""The last step to canonical audio: mixing, resampling, rounding to 16 bits."""

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.infrastructure.audio.downmixer import Downmixer


class CanonicalConverter:
    """Converts one stream of one rate and channel count; the output does not depend on how the input is cut.

    The resampler (soxr, quality HQ) holds back part of what it has heard until more arrives or the stream ends: at most
    40 ms from 44.1 or 48 kHz, 115 ms from 8 kHz.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._downmixer = Downmixer(channels)
        self._resampler = (
            None
            if sample_rate_hz == SAMPLE_RATE_HZ
            else soxr.ResampleStream(sample_rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        )

    def convert(self, frames: NDArray[np.float32]) -> bytes:
        """Takes the next ``[frames, channels]`` with full scale at 1; returns the canonical audio that is complete."""
        mono = self._downmixer.mix(frames)
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(np.ascontiguousarray(mono))
        return _quantized(mono)

    def finish(self) -> bytes:
        """Ends the stream and returns what was held back."""
        if self._resampler is None:
            return b""
        return _quantized(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def _quantized(samples: NDArray[np.float32]) -> bytes:
    scaled = np.rint(samples * np.float32(32_768))
    np.clip(scaled, -32_768, 32_767, out=scaled)
    return bytes(scaled.astype("<i2").data)

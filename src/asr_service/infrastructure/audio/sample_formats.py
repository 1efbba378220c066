"""How samples are written in bytes, and their reading as floats with full scale at 1."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.value_objects.audio_metadata import AudioEncoding


class SampleFormat(Enum):
    """The linear and logarithmic PCM formats, all little-endian. The value is the width in bytes, and a tag."""

    U8 = (1, "unsigned")
    S16 = (2, "signed")
    S24 = (3, "signed")
    S32 = (4, "signed")
    F32 = (4, "float")
    F64 = (8, "float")
    MULAW = (1, "mu-law")
    ALAW = (1, "A-law")

    @property
    def width_bytes(self) -> int:
        return self.value[0]


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """What has to be known to read raw PCM."""

    sample_format: SampleFormat
    sample_rate_hz: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """The size of one sample of every channel."""
        return self.sample_format.width_bytes * self.channels

    @property
    def bytes_per_s(self) -> int:
        return self.frame_bytes * self.sample_rate_hz


SAMPLE_FORMATS = {
    AudioEncoding.PCM_S16LE: SampleFormat.S16,
    AudioEncoding.PCM_F32LE: SampleFormat.F32,
    AudioEncoding.MULAW: SampleFormat.MULAW,
    AudioEncoding.ALAW: SampleFormat.ALAW,
}
"""The format of each raw encoding that a client can declare."""


def read_frames(data: bytes, pcm_format: PcmFormat) -> NDArray[np.float32]:
    """Reads whole frames; returns ``[frames, channels]``, in -1 to 1."""
    return scaled(_raw_samples(data, pcm_format.sample_format)).reshape(-1, pcm_format.channels)


def scaled(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Samples of any numeric type with full scale at 1.

    Unsigned integers have their zero in the middle. Floats beyond full scale are clipped, NaN and infinity become 0, so
    that one bad sample does not spoil the filters behind.
    """
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    if kind == "f":
        finite = np.where(np.isfinite(samples), samples, 0)
        return np.clip(finite, -1, 1).astype(np.float32)
    half_range = 2.0 ** (bits - 1)
    floats = samples.astype(np.float32)
    if kind == "u":
        floats -= np.float32(half_range)
    floats *= np.float32(1 / half_range)
    return floats


def _raw_samples(data: bytes, sample_format: SampleFormat) -> NDArray[np.generic]:
    match sample_format:
        case SampleFormat.U8:
            return np.frombuffer(data, np.uint8)
        case SampleFormat.S16:
            return np.frombuffer(data, "<i2")
        case SampleFormat.S24:
            return _from_24_bits(data)
        case SampleFormat.S32:
            return np.frombuffer(data, "<i4")
        case SampleFormat.F32:
            return np.frombuffer(data, "<f4")
        case SampleFormat.F64:
            return np.frombuffer(data, "<f8")
        case SampleFormat.MULAW:
            return _MULAW[np.frombuffer(data, np.uint8)]
        case SampleFormat.ALAW:
            return _ALAW[np.frombuffer(data, np.uint8)]


def _from_24_bits(data: bytes) -> NDArray[np.int32]:
    """The 24 bits become the upper ones of 32."""
    widened = np.zeros((len(data) // 3, 4), np.uint8)
    widened[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return widened.view("<i4").reshape(-1)


def _mulaw_table() -> NDArray[np.int16]:
    """ITU-T G.711 mu-law: inverted bits; sign, 3 bits of exponent, 4 of mantissa; bias 33 at 14 bits."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 1) + 33) << ((code >> 4) & 7)) - 33
    return (np.where(code & 0x80, -magnitude, magnitude) << 2).astype(np.int16)


def _alaw_table() -> NDArray[np.int16]:
    """ITU-T G.711 A-law: even bits inverted; sign, 3 bits of exponent, 4 of mantissa; 13 bits."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 7
    mantissa = ((code & 0x0F) << 1) + 1
    magnitude = np.where(exponent == 0, mantissa, (mantissa + 32) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) << 3).astype(np.int16)


_MULAW = _mulaw_table()
_ALAW = _alaw_table()

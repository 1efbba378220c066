"""Positions and formats of audio.

Inside the house audio has one form, called canonical: 16 kHz, mono, signed 16-bit little-endian PCM. Positions in it
are integer samples from the start of the stream; milliseconds and seconds exist only at the edge.
"""

from dataclasses import dataclass
from enum import StrEnum

SAMPLE_RATE_HZ = 16_000
BYTES_PER_SAMPLE = 2
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1_000

MIN_SAMPLE_RATE_HZ = 8_000  # telephone speech; below it consonants are gone
MAX_SAMPLE_RATE_HZ = 192_000  # the highest rate that recorders produce
MAX_CHANNELS = 8
MAX_OPUS_CHANNELS = 2  # of one packet


def samples_from_ms(milliseconds: int) -> int:
    """The number of canonical samples that last so long."""
    return milliseconds * SAMPLES_PER_MS


def ms_from_samples(samples: int) -> int:
    """Milliseconds from the start of the stream, rounded down."""
    return samples // SAMPLES_PER_MS


def s_from_samples(samples: int) -> float:
    """Seconds from the start of the stream, rounded to the millisecond, for people and for protocols."""
    return round(samples / SAMPLE_RATE_HZ, 3)


class AudioEncoding(StrEnum):
    """How the bytes that a client sends are to be read."""

    PCM_S16LE = "pcm_s16le"
    PCM_F32LE = "pcm_f32le"
    MULAW = "mulaw"
    ALAW = "alaw"
    OPUS = "opus"  # one packet in each frame (RFC 6716), without a container
    CONTAINER = "container"  # a file of any common kind (WAV, MP3, Ogg, WebM, …), recognized by its content


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """The format of a client's audio.

    Rate and channels mean nothing for a container, which says its own, and the rate means nothing for Opus.
    """

    encoding: AudioEncoding = AudioEncoding.PCM_S16LE
    sample_rate_hz: int = SAMPLE_RATE_HZ
    channels: int = 1

    def __post_init__(self) -> None:
        if not MIN_SAMPLE_RATE_HZ <= self.sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
            raise ValueError(
                f"sample rate {self.sample_rate_hz} Hz is outside {MIN_SAMPLE_RATE_HZ}–{MAX_SAMPLE_RATE_HZ}"
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise ValueError(f"{self.channels} channels are outside 1–{MAX_CHANNELS}")
        if self.encoding is AudioEncoding.OPUS and self.channels > MAX_OPUS_CHANNELS:
            raise ValueError(f"{self.channels} channels of Opus are outside 1–{MAX_OPUS_CHANNELS}")


@dataclass(frozen=True, slots=True, order=True)
class SampleSpan:
    """A half-open stretch of canonical samples: ``start`` belongs to it, ``end`` does not."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"no such span: {self.start}–{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def shifted(self, samples: int) -> "SampleSpan":
        return SampleSpan(self.start + samples, self.end + samples)

"""Samples are read with full scale at 1, whatever their format."""

import math

import numpy as np
import pytest

from asr_service.infrastructure.audio.sample_formats import PcmFormat, SampleFormat, read_frames, scaled


def values(data: bytes, sample_format: SampleFormat) -> list[float]:
    return read_frames(data, PcmFormat(sample_format, 16_000, 1))[:, 0].tolist()


@pytest.mark.parametrize(
    ("sample_format", "lowest", "zero", "highest", "steps"),
    [
        (SampleFormat.U8, b"\x00", b"\x80", b"\xff", 2**7),
        (SampleFormat.S16, b"\x00\x80", b"\x00\x00", b"\xff\x7f", 2**15),
        (SampleFormat.S24, b"\x00\x00\x80", b"\x00\x00\x00", b"\xff\xff\x7f", 2**23),
        (SampleFormat.S32, b"\x00\x00\x00\x80", bytes(4), b"\xff\xff\xff\x7f", 2**31),
    ],
)
def test_integers_reach_from_minus_one_to_almost_one(
    sample_format: SampleFormat, lowest: bytes, zero: bytes, highest: bytes, steps: int
) -> None:
    assert values(lowest + zero + highest, sample_format) == pytest.approx([-1, 0, 1 - 1 / steps], abs=1e-7)


@pytest.mark.parametrize(("sample_format", "kind"), [(SampleFormat.F32, "<f4"), (SampleFormat.F64, "<f8")])
def test_floats_are_taken_as_they_are_clipped_and_cleaned(sample_format: SampleFormat, kind: str) -> None:
    samples = np.array([0.25, -1, 1.5, -7e30, math.nan, math.inf, -math.inf], kind)
    assert values(samples.tobytes(), sample_format) == [0.25, -1, 1, -1, 0, 0, 0]


# The ends of the range, the smallest steps, and the signs, from the tables of ITU-T G.711, at 16 bits.
@pytest.mark.parametrize(
    ("code", "value"), [(0x00, -32_124), (0x80, 32_124), (0x7F, 0), (0xFF, 0), (0xFE, 8), (0x7E, -8), (0xEF, 132)]
)
def test_mu_law_is_that_of_g711(code: int, value: int) -> None:
    assert values(bytes([code]), SampleFormat.MULAW) == [value / 32_768]


@pytest.mark.parametrize(
    ("code", "value"), [(0x2A, -32_256), (0xAA, 32_256), (0xD5, 8), (0x55, -8), (0xD4, 24), (0xC5, 264), (0xF5, 528)]
)
def test_a_law_is_that_of_g711(code: int, value: int) -> None:
    assert values(bytes([code]), SampleFormat.ALAW) == [value / 32_768]


def test_channels_are_interleaved() -> None:
    data = np.array([1, -1, 2, -2], "<i2").tobytes()
    frames = read_frames(data, PcmFormat(SampleFormat.S16, 16_000, 2))
    assert (frames * 32_768).tolist() == [[1, -1], [2, -2]]


def test_every_16_bit_sample_survives_the_way_to_floats() -> None:
    samples = np.arange(-32_768, 32_768).astype("<i2")
    assert (scaled(samples) * 32_768 == samples).all()


@pytest.mark.parametrize(
    ("sample_format", "frame_bytes"), [(SampleFormat.S24, 6), (SampleFormat.MULAW, 2), (SampleFormat.F64, 16)]
)
def test_a_frame_has_a_sample_of_each_channel(sample_format: SampleFormat, frame_bytes: int) -> None:
    pcm_format = PcmFormat(sample_format, 8_000, 2)
    assert pcm_format.frame_bytes == frame_bytes
    assert pcm_format.bytes_per_s == 8_000 * frame_bytes

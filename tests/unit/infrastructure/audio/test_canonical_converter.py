"""Any rate becomes 16 kHz, without a sample lost and without a click."""

import numpy as np
import pytest

from asr_service.infrastructure.audio.canonical_converter import CanonicalConverter
from tests.fixtures.sounds import dominant_hz, from_pcm, level, tone

RATES_HZ = [8_000, 11_025, 12_345, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]


def converted(samples: np.ndarray[tuple[int], np.dtype[np.float64]], rate_hz: int) -> bytes:
    converter = CanonicalConverter(rate_hz, 1)
    return converter.convert(samples.astype(np.float32)[:, np.newaxis]) + converter.finish()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_length_pitch_and_level_are_kept(rate_hz: int) -> None:
    pcm = converted(tone(1_000, 2, rate_hz=rate_hz), rate_hz)
    assert len(pcm) == 2 * 32_000
    assert dominant_hz(from_pcm(pcm)) == pytest.approx(1_000, abs=1)
    assert level(from_pcm(pcm)[400:-400]) == pytest.approx(level(tone(1_000, 2)), rel=0.001)


def test_what_16_khz_cannot_hold_is_filtered_out() -> None:
    assert level(from_pcm(converted(tone(11_000, 1, rate_hz=48_000), 48_000))[400:-400]) < 0.0005


def test_samples_of_the_right_rate_are_kept_bit_by_bit() -> None:
    samples = np.arange(-32_768, 32_768)
    assert np.frombuffer(converted(samples / 32_768, 16_000), "<i2").tolist() == samples.tolist()


def test_overshoot_is_clipped_and_does_not_wrap_around() -> None:
    square = np.sign(tone(300, 1, rate_hz=44_100, amplitude=1.0))
    pcm = from_pcm(converted(square, 44_100))
    positive = pcm[200:][np.sign(tone(300, 1, amplitude=1.0))[200:] > 0]
    assert pcm.max() == 32_767 / 32_768
    assert pcm.min() == -1
    assert np.mean(positive < 0) < 0.05


def test_nothing_comes_of_nothing() -> None:
    converter = CanonicalConverter(44_100, 2)
    assert converter.convert(np.zeros((0, 2), np.float32)) + converter.finish() == b""

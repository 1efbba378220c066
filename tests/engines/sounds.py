"""Sounds for models that know no language: noise whose spectrum changes like that of speech."""

import numpy as np

from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ

_SYLLABLE_SAMPLES = round(0.15 * SAMPLE_RATE_HZ)
_PEAK = 10_000  # of 32767


def babble(seconds: float, seed: int) -> bytes:
    """Canonical audio, the same for the same seed."""
    random = np.random.default_rng(seed)
    syllables = []
    for _ in range(-(-round(seconds * SAMPLE_RATE_HZ) // _SYLLABLE_SAMPLES)):
        filtered = np.convolve(
            random.standard_normal(_SYLLABLE_SAMPLES), random.standard_normal(random.integers(1, 12)), "same"
        )
        syllables.append(filtered / np.abs(filtered).max() * _PEAK)
    samples = np.concatenate(syllables)[: round(seconds * SAMPLE_RATE_HZ)]
    return samples.astype("<i2").tobytes()

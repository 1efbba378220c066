"""Damaged and random frames: a small part of what ``make fuzz`` does."""

from collections import Counter

import pytest

from tests.fixtures.codec_fuzz import fuzz, play, recorded_frames
from tests.fixtures.codecs import CODECS

FRAMES = 2_000


@pytest.mark.parametrize("name", CODECS)
def test_damaged_and_random_frames_do_no_harm(name: str) -> None:
    counts = fuzz(name, FRAMES)
    assert counts["frames"] >= FRAMES
    assert counts["AudioData"] > 20  # it got beyond the first check
    assert counts["Refuse"] + counts["GiveUp"] > 100


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_that_hears_nonsense_for_long_does_not_grow(name: str) -> None:
    counts: Counter[str] = Counter()
    play(name, 7, FRAMES, recorded_frames(name), counts, on_and_on=True)  # checks that in the end
    assert counts["frames"] == FRAMES

"""The mix is the mean of the channels that live."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from asr_service.infrastructure.audio.downmixer import LIVE_AMPLITUDE, Downmixer

LOUDNESSES = st.sampled_from([0.0, 0.4 * LIVE_AMPLITUDE, -0.9 * LIVE_AMPLITUDE, 2 * LIVE_AMPLITUDE, -0.3, 0.7])


def frames(*channels: list[float]) -> NDArray[np.float32]:
    return np.array(channels, np.float32).T


def test_one_channel_is_left_alone() -> None:
    assert Downmixer(1).mix(frames([0.1, -0.2])) == pytest.approx([0.1, -0.2])


def test_live_channels_are_averaged() -> None:
    assert Downmixer(2).mix(frames([0.5, 0.5, 0.2], [0.1, -0.1, 0.0])) == pytest.approx([0.3, 0.2, 0.1])


@pytest.mark.parametrize("dead", [0.0, 0.5 * LIVE_AMPLITUDE])
def test_a_dead_channel_does_not_lower_the_level(dead: float) -> None:
    assert Downmixer(2).mix(frames([dead] * 3, [0.5, -0.4, 0.3])) == pytest.approx([0.5, -0.4, 0.3])


def test_a_channel_counts_from_its_first_sound_on() -> None:
    mix = Downmixer(2).mix(frames([0.4, 0.4, 0.4, 0.4], [0.0, 0.2, 0.0, 0.2]))
    assert mix == pytest.approx([0.4, 0.3, 0.2, 0.3])


def test_a_channel_stays_live_in_later_calls() -> None:
    downmixer = Downmixer(2)
    downmixer.mix(frames([0.4], [0.2]))
    assert downmixer.mix(frames([0.4], [0.0])) == pytest.approx([0.2])


def test_as_long_as_nothing_is_loud_all_channels_count() -> None:
    soft = 0.5 * LIVE_AMPLITUDE
    assert Downmixer(2).mix(frames([soft, soft], [soft, 0.0])) == pytest.approx([soft, soft / 2])


def test_no_frames_have_no_mix() -> None:
    downmixer = Downmixer(2)
    assert len(downmixer.mix(np.zeros((0, 2), np.float32))) == 0
    assert downmixer.mix(frames([0.4], [0.0])) == pytest.approx([0.4])


@given(
    st.integers(2, 5).flatmap(
        lambda channels: st.lists(st.lists(LOUDNESSES, min_size=channels, max_size=channels), min_size=1, max_size=40)
    ),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_the_cut_does_not_change_a_bit(rows: list[list[float]], cuts: list[int]) -> None:
    sound = np.array(rows, np.float32)
    downmixer = Downmixer(sound.shape[1])
    in_pieces = np.concatenate([downmixer.mix(piece) for piece in np.split(sound, sorted(cuts))])
    assert in_pieces.tolist() == Downmixer(sound.shape[1]).mix(sound).tolist()

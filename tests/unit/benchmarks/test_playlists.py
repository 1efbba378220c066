"""What speakers say, and when."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scripts.benchmarks.clips import Clip
from scripts.benchmarks.native_session import BYTES_PER_MS
from scripts.benchmarks.playlists import PAUSE_MS, SpokenClip, cut_to_speech, make_playlist
from scripts.benchmarks.speech_bounds import SpeechBounds, find_speech

CLIPS = [
    SpokenClip(
        f"{name}.wav",
        f"words of {name}",
        bytes([1]) * BYTES_PER_MS * (before_ms + speech_ms + 40),
        before_ms,
        speech_ms,
    )
    for name, before_ms, speech_ms in (("a", 50, 3_000), ("b", 0, 4_000), ("c", 20, 5_000))
]


def test_pauses_are_of_one_length_whatever_surrounds_the_speech() -> None:
    utterances = make_playlist(CLIPS, 0, 60_000).utterances
    assert utterances[0].start_ms >= PAUSE_MS
    ends = [utterance.end_ms for utterance in utterances]
    starts = [utterance.start_ms for utterance in utterances]
    assert {start - end for end, start in zip(ends[:-1], starts[1:], strict=True)} == {PAUSE_MS}


def test_the_sound_is_where_the_utterances_say() -> None:
    playlist = make_playlist(CLIPS, 0, 30_000)
    samples = np.frombuffer(playlist.pcm, "<i2")
    speech = int.from_bytes(bytes([1, 1]), "little")
    for utterance in playlist.utterances:
        said = samples[utterance.start_ms * 16 : utterance.end_ms * 16]
        assert set(said.tolist()) == {speech}
        assert samples[utterance.end_ms * 16 + 40 * 16] != speech


def test_a_speaker_says_the_same_in_every_run_and_another_speaker_something_else() -> None:
    orders = [[said.clip for said in make_playlist(CLIPS, speaker, 60_000).utterances] for speaker in range(4)]
    assert orders[0] == [said.clip for said in make_playlist(CLIPS, 0, 60_000).utterances]
    assert len({tuple(order) for order in orders}) > 1


def test_everything_is_said_once_before_anything_is_said_again() -> None:
    said = [utterance.clip for utterance in make_playlist(CLIPS, 3, 60_000).utterances]
    assert set(said[:3]) == set(said[3:6]) == {clip.name for clip in CLIPS}


def test_the_last_utterance_is_said_to_its_end() -> None:
    playlist = make_playlist(CLIPS, 1, 10_000)
    assert len(playlist.pcm) >= 10_000 * BYTES_PER_MS
    assert playlist.utterances[-1].end_ms + PAUSE_MS < len(playlist.pcm) // BYTES_PER_MS


CLIP = Clip("a.wav", Path("a.wav"), "en", "words of a", 6.0)


def test_a_clip_is_cut_to_its_speech_and_a_margin() -> None:
    pcm = bytes(6_000 * BYTES_PER_MS)
    spoken = cut_to_speech(CLIP, pcm, SpeechBounds(1_000, 5_000, 100))
    assert spoken is not None
    assert (spoken.margin_before_ms, spoken.speech_ms, len(spoken.pcm)) == (50, 4_000, 4_100 * BYTES_PER_MS)


def test_speech_at_the_edges_of_a_clip_has_no_margin() -> None:
    spoken = cut_to_speech(CLIP, bytes(6_000 * BYTES_PER_MS + 7), SpeechBounds(0, 6_000, 100))
    assert spoken is not None
    assert (spoken.margin_before_ms, len(spoken.pcm)) == (0, 6_000 * BYTES_PER_MS)


@pytest.mark.parametrize(
    "bounds",
    [None, SpeechBounds(0, 2_990, 0), SpeechBounds(0, 9_610, 0), SpeechBounds(0, 5_000, 460)],
    ids=["no speech", "too short", "too long", "perhaps two utterances"],
)
def test_what_is_no_utterance_of_a_usual_length_is_not_said(bounds: SpeechBounds | None) -> None:
    assert cut_to_speech(CLIP, bytes(10_000 * BYTES_PER_MS), bounds) is None


def loud_is_speech(
    inputs: NDArray[np.float32], states: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return (np.abs(inputs).max(axis=1) > 0.1).astype(np.float32), states


def tone(duration_ms: int, amplitude: int) -> bytes:
    return np.full(duration_ms * 16, amplitude, "<i2").tobytes()


def test_speech_is_found_to_ten_milliseconds_whatever_the_windows() -> None:
    pcm = tone(330, 3) + tone(1_000, 9_000) + tone(200, 3) + tone(510, 9_000) + tone(700, 3)
    assert find_speech(loud_is_speech, pcm) == SpeechBounds(330, 2_040, 200)


def test_in_silence_there_is_no_speech() -> None:
    assert find_speech(loud_is_speech, tone(1_000, 3)) is None

"""What speakers say, and when."""

import numpy as np

from scripts.benchmarks.native_session import BYTES_PER_MS
from scripts.benchmarks.playlists import PAUSE_MS, SpokenClip, make_playlist

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

"""Where the sound of a word begins and ends in a recording."""

import numpy as np

from scripts.benchmarks.recordings import BYTES_PER_MS

_FRAME_MS = 10
_BELOW_PEAK_DB = 30.0  # soft consonants lie 15 to 25 dB below their vowel
_ABOVE_BACKGROUND_DB = 8.0
_BACKGROUND_PERCENTILE = 10
_GAP_FRAMES = 8  # the closure of a stop consonant is shorter than 80 ms
_REACH_MS = 300  # a sound farther from the aligned word than this is none of it


def sound_end_ms(pcm: bytes, start_ms: int, end_ms: int) -> int:
    """Where the sound of the last word ends that the model has aligned to these times: never before ``end_ms``."""
    loud = _loud_frames(pcm, start_ms, end_ms)
    last = end_ms // _FRAME_MS
    reach = min(len(loud), last + _REACH_MS // _FRAME_MS)
    for frame in range(last, reach):
        if loud[frame] and frame - last <= _GAP_FRAMES:
            last = frame + 1
    return max(end_ms, last * _FRAME_MS)


def sound_start_ms(pcm: bytes, start_ms: int, end_ms: int) -> int:
    """Where the sound of the first word begins: never after ``start_ms``."""
    loud = _loud_frames(pcm, start_ms, end_ms)
    first = start_ms // _FRAME_MS
    for frame in range(first - 1, max(0, first - _REACH_MS // _FRAME_MS) - 1, -1):
        if loud[frame] and first - frame <= _GAP_FRAMES:
            first = frame
    return min(start_ms, first * _FRAME_MS)


def _loud_frames(pcm: bytes, start_ms: int, end_ms: int) -> list[bool]:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    size = _FRAME_MS * BYTES_PER_MS // 2
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    levels_db = 10 * np.log10(np.maximum(np.square(frames).mean(axis=1), 1.0))
    peak_db = levels_db[start_ms // _FRAME_MS : max(end_ms, start_ms + _FRAME_MS) // _FRAME_MS].max()
    background_db = np.percentile(levels_db, _BACKGROUND_PERCENTILE)
    limit_db = max(peak_db - _BELOW_PEAK_DB, background_db + _ABOVE_BACKGROUND_DB)
    return [bool(level) for level in levels_db >= limit_db]

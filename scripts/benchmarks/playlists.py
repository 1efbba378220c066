"""What the speakers of a live measurement say: recordings one after the other, with pauses of one length between them."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr_service.bootstrap import open_decoder, open_model_store
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.vad.silero_model import SileroModel
from scripts.benchmarks.clips import Clip, normalize
from scripts.benchmarks.native_session import BYTES_PER_MS
from scripts.benchmarks.speech_bounds import SpeechBounds, find_speech

LANGUAGE = "en"
SHORTEST_SPEECH_MS, LONGEST_SPEECH_MS = 3_000, 9_600
LONGEST_INNER_PAUSE_MS = 450  # a longer one may be an endpoint, and the recording two utterances
PAUSE_MS = 700  # more than the 500 ms of the service's endpoint, so that it is found; live speakers pause about as long
_MARGIN_MS = 50  # of the recording's own surroundings, kept at both ends of the speech
_NOISE_DBFS = -60.0  # a quiet room: loud enough that the service listens to it
_SEED = 7


@dataclass(frozen=True, slots=True)
class SpokenClip:
    """A recording cut to its speech and a margin on both sides."""

    name: str
    reference: str
    pcm: bytes
    margin_before_ms: int
    speech_ms: int


@dataclass(frozen=True, slots=True)
class SpokenUtterance:
    """What a speaker says from one moment to another, in ms from the start of the session's audio."""

    clip: str
    reference: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Playlist:
    """All that one speaker says, and its sound, canonical."""

    utterances: tuple[SpokenUtterance, ...]
    pcm: bytes


def read_spoken_clips(settings: Settings, clips: list[Clip]) -> list[SpokenClip]:
    """The English clips of one utterance of a usual length; of those with the same words, the first.

    Raises:
        ValueError: There is none.
    """
    model = SileroModel(open_model_store(settings).locate("silero-vad") / "silero_vad.onnx", threads=1)
    found: dict[str, SpokenClip] = {}
    for clip in clips:
        words = normalize(clip.reference, clip.group)
        if clip.group == LANGUAGE and clip.seconds <= 2 * LONGEST_SPEECH_MS / 1_000 and words not in found:
            pcm = asyncio.run(_decoded(settings, clip.path))
            spoken = cut_to_speech(clip, pcm, find_speech(model, pcm))
            if spoken is not None:
                found[words] = spoken
    if not found:
        raise ValueError(
            f"no recording of one English utterance of {SHORTEST_SPEECH_MS}–{LONGEST_SPEECH_MS} ms is there to be spoken"
        )
    return list(found.values())


async def _decoded(settings: Settings, path: Path) -> bytes:
    return b"".join([block async for block in open_decoder(settings).decode_file(path)])


def cut_to_speech(clip: Clip, pcm: bytes, bounds: SpeechBounds | None) -> SpokenClip | None:
    """The clip as it is said in a playlist; ``None``: it is no utterance of a usual length, or may be more than one."""
    if bounds is None or bounds.longest_pause_ms > LONGEST_INNER_PAUSE_MS:
        return None
    speech_ms = bounds.end_ms - bounds.start_ms
    if not SHORTEST_SPEECH_MS <= speech_ms <= LONGEST_SPEECH_MS:
        return None
    first_ms = max(0, bounds.start_ms - _MARGIN_MS)
    cut = pcm[first_ms * BYTES_PER_MS : (bounds.end_ms + _MARGIN_MS) * BYTES_PER_MS]
    cut = cut[: len(cut) // BYTES_PER_MS * BYTES_PER_MS]
    return SpokenClip(clip.name, clip.reference, cut, bounds.start_ms - first_ms, speech_ms)


def make_playlist(clips: list[SpokenClip], speaker: int, at_least_ms: int) -> Playlist:
    """Recordings in an order that depends on the speaker's number only, each once before any is said again.

    Args:
        clips: What can be said.
        speaker: The speaker's number.
        at_least_ms: Length; the utterance that is begun before it is said to its end.
    """
    choice = random.Random(_SEED * 1_000 + speaker)  # noqa: S311 - the same in every run
    noise = np.random.default_rng(_SEED * 1_000 + speaker)
    pcm, utterances = bytearray(_noise(noise, PAUSE_MS)), []
    waiting: list[SpokenClip] = []
    pause_ms = PAUSE_MS  # of which so much is already there
    while len(pcm) < at_least_ms * BYTES_PER_MS:
        waiting = waiting or choice.sample(clips, len(clips))
        clip = waiting.pop()
        pcm += _noise(noise, max(0, PAUSE_MS - pause_ms - clip.margin_before_ms))
        start_ms = len(pcm) // BYTES_PER_MS + clip.margin_before_ms
        utterances.append(SpokenUtterance(clip.name, clip.reference, start_ms, start_ms + clip.speech_ms))
        pcm += clip.pcm
        pause_ms = len(clip.pcm) // BYTES_PER_MS - clip.margin_before_ms - clip.speech_ms
    pcm += _noise(noise, 2 * PAUSE_MS)
    return Playlist(tuple(utterances), bytes(pcm))


def _noise(generator: np.random.Generator, duration_ms: int) -> bytes:
    deviation = 32_768 * 10 ** (_NOISE_DBFS / 20)
    noise = generator.normal(0, deviation, duration_ms * SAMPLE_RATE_HZ // 1_000)
    return np.round(noise).astype("<i2").tobytes()

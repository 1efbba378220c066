"""What is said under chaos, and whether it was heard as it should be."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from scripts.benchmarks.clips import read_manifest
from scripts.benchmarks.recordings import canonical_pcm, silence
from tests.fixtures.speakers import BYTES_PER_S, Heard, Said, Speaker, listen

SHORTEST_S, LONGEST_S = 1.5, 12.0
PAUSE_MS = 700  # in which an utterance ends
_QUIET_SPEED = 20.0  # as fast as the server takes it, one after the other
_QUIET_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Voice:
    """A recording, canonical, and its language."""

    name: str
    language: str
    pcm: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcm) / BYTES_PER_S


@dataclass(frozen=True, slots=True)
class Talk:
    """What one speaker says, in one language."""

    name: str
    language: str
    pcm: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcm) / BYTES_PER_S


def read_voices(folder: Path, scratch: Path) -> list[Voice]:
    """The English and Mandarin recordings of a folder that are neither very short nor long."""
    clips = [clip for clip in read_manifest(folder, scratch) if SHORTEST_S <= clip.seconds <= LONGEST_S]
    return [Voice(clip.name, clip.group, canonical_pcm(clip.path)) for clip in clips]


def make_talk(voices: Sequence[Voice], chance: Random, seconds: float, pause_ms: int = PAUSE_MS) -> Talk:
    """Recordings of one language by chance, with pauses, at least so many seconds."""
    language = chance.choice(sorted({voice.language for voice in voices}))
    choice = [voice for voice in voices if voice.language == language]
    pcm = bytearray(silence(chance.uniform(0, pause_ms)))
    while len(pcm) < seconds * BYTES_PER_S:
        pcm += chance.choice(choice).pcm + silence(pause_ms)
    return Talk(f"{language} {len(pcm) / BYTES_PER_S:.0f} s", language, bytes(pcm))


async def hear_quietly(url: str, talks: Sequence[Talk]) -> list[Heard]:
    """What the server makes of each when nothing breaks; all at its own pace."""
    places = asyncio.Semaphore(_QUIET_AT_ONCE)

    async def hear(talk: Talk) -> Heard:
        async with places:
            return await listen(url, Speaker(talk.pcm, _QUIET_SPEED), language=talk.language)

    return await asyncio.gather(*(hear(talk) for talk in talks))


def differences(name: str, quiet: Heard, heard: Heard) -> list[str]:
    """In what a stream was told something else than one without any trouble; a line each."""
    found = told_apart(name, quiet.said, heard.said)
    if heard.failed:
        found.append(f"{name}: {heard.failed} utterances failed")
    if heard.reason != "completed":
        found.append(f"{name}: ended as {heard.reason or 'nothing'!r}")
    return found


def told_apart(name: str, wanted: Sequence[Said], told: Sequence[Said]) -> list[str]:
    """What is missing, doubled or different, a line each."""
    counts = Counter(utterance for utterance, *_ in told)
    found = [f"{name}: utterance {utterance} came {count} times" for utterance, count in counts.items() if count > 1]
    expected, got = ({said[0]: said for said in all_said} for all_said in (wanted, told))
    for utterance in sorted(expected.keys() | got.keys()):
        one, other = expected.get(utterance), got.get(utterance)
        if other is None:
            found.append(f"{name}: utterance {utterance} is missing")
        elif one is None:
            found.append(f"{name}: utterance {utterance} should not be: {other}")
        elif one != other:
            found.append(f"{name}: utterance {utterance} is {other}, should be {one}")
    if [utterance for utterance, *_ in told] != sorted(utterance for utterance, *_ in told):
        found.append(f"{name}: out of order")
    return found


def stored_apart(name: str, heard: Heard, stored: Mapping[int, str]) -> list[str]:
    """Where what is stored is not what was told, a line each; finals without words are not stored."""
    told = {final.utterance: final.text for final in heard.finals if final.text}
    return [
        f"{name}: utterance {utterance} is stored as {stored.get(utterance)!r}, told was {told.get(utterance)!r}"
        for utterance in sorted(told.keys() | stored.keys())
        if told.get(utterance) != stored.get(utterance)
    ]

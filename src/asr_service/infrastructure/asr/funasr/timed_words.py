"""Words with times, from a text and the pieces of it that a model has timed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.infrastructure.asr.whisper.repetition import UNSPACED

_SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1_000
_WORD_START = "▁"  # how SentencePiece writes the space before a word
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class TimedPiece:
    """A part of a text, in milliseconds from the start of the audio: a character, a word, or a part of one."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(slots=True)
class _Draft:
    """A word in the making: where it lies in the text, and when it was spoken."""

    first: int
    end: int
    start_ms: float
    end_ms: float


def timed_words(text: str, pieces: Sequence[TimedPiece], samples: int) -> tuple[Word, ...]:
    """The words of the text, in order, without overlap, inside the audio.

    A piece is a word, unless it goes on with the one before it: two parts of a word have no space between them, and are of no
    script that is written without spaces. Punctuation, which may have come into the text later, belongs to the word before
    it, and has no time of its own.

    Args:
        text: As a client sees it.
        pieces: In order. Case does not matter.
        samples: Length of the audio.

    Returns:
        All words; none if the pieces are not what the text is made of, since times must not be guessed.
    """
    drafts = _drafts(text, pieces)
    ends = [draft.first for draft in drafts[1:]] + [len(text)]
    words: list[Word] = []
    position = 0
    for draft, end in zip(drafts, ends, strict=False):
        start = min(max(position, round(draft.start_ms * _SAMPLES_PER_MS)), samples)
        position = min(max(start, round(draft.end_ms * _SAMPLES_PER_MS)), samples)
        first = draft.first if words else 0
        words.append(Word(text[first:end].strip(), SampleSpan(start, position)))
    return tuple(words)


def _drafts(text: str, pieces: Sequence[TimedPiece]) -> list[_Draft]:
    drafts: list[_Draft] = []
    cursor = 0
    lower = text.lower()
    if len(lower) != len(text):  # a few letters become two, and positions would not fit
        return []
    for piece, spoken in _spoken(pieces):
        first = lower.find(spoken, cursor)
        if first < 0 or _has_speech(text[cursor:first]):
            return []
        if drafts and first == cursor and _joins(text, first):
            drafts[-1].end, drafts[-1].end_ms = first + len(spoken), piece.end_ms
        else:
            drafts.append(_Draft(first, first + len(spoken), piece.start_ms, piece.end_ms))
        cursor = first + len(spoken)
    return [] if _has_speech(text[cursor:]) else drafts


def _spoken(pieces: Sequence[TimedPiece]) -> Iterator[tuple[TimedPiece, str]]:
    for piece in pieces:
        spoken = piece.text.replace(_WORD_START, "").strip().lower()
        if _has_speech(spoken):
            yield piece, spoken


def _has_speech(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _joins(text: str, position: int) -> bool:
    """Whether the characters on both sides of a position may be of one word."""
    sides = text[position - 1 : position + 1]
    return all(character.isalnum() and not _UNSPACED_CHARACTER.match(character) for character in sides)

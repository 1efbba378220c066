"""Cuts utterances into pieces that can be read while they are spoken.

The bounds are those of the BBC's and Netflix's subtitle guidelines, rounded: two lines of about 42 Latin or 16 Chinese
characters, and no longer than seven seconds.
"""

from dataclasses import dataclass

from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.domain.value_objects.transcript import TranscribedUtterance, join_texts

MAX_CAPTION_MS = 7_000
MAX_CAPTION_COLUMNS = 84  # a Chinese character takes two and a half of them
_COLUMNS_PER_WIDE_CHARACTER = 2.5
_FIRST_WIDE_CHARACTER = "\u2e80"
_SENTENCE_ENDS = ("。", "？", "！", "…", ".", "?", "!")
_CLAUSE_ENDS = ("，", "、", "；", "：", ",", ";", ":")
_PAUSE_MS = 700  # a silence that a reader expects to see
_ENOUGH_COLUMNS = MAX_CAPTION_COLUMNS // 2  # from here on a clause may end the caption


@dataclass(frozen=True, slots=True)
class Caption:
    """A piece of text, its place, and its words where the engine gave any."""

    span: SampleSpan
    text: str
    words: tuple[Word, ...] = ()


def caption(utterance: TranscribedUtterance) -> list[Caption]:
    """Cuts one utterance at sentence ends, long pauses and, where it gets long, at clauses or between words.

    Without word times the utterance stays whole, since no place inside it is known.
    """
    words = utterance.hypothesis.words
    if not words:
        return [Caption(utterance.span, utterance.hypothesis.text)]
    pieces: list[list[Word]] = [[]]
    for word, following in zip(words, (*words[1:], None), strict=True):
        pieces[-1].append(word)
        if following is not None and _ends_caption(pieces[-1], following):
            pieces.append([])
    return [caption_of(piece) for piece in pieces]


def _ends_caption(piece: list[Word], following: Word) -> bool:
    last, columns = piece[-1], sum(map(_columns, piece))
    too_long = following.span.end - piece[0].span.start > samples_from_ms(MAX_CAPTION_MS)
    return (
        last.text.endswith(_SENTENCE_ENDS)
        or too_long
        or columns + _columns(following) > MAX_CAPTION_COLUMNS
        or following.span.start - last.span.end >= samples_from_ms(_PAUSE_MS)
        or (columns >= _ENOUGH_COLUMNS and last.text.endswith(_CLAUSE_ENDS))
    )


def _columns(word: Word) -> float:
    wide = sum(character >= _FIRST_WIDE_CHARACTER for character in word.text)
    return wide * _COLUMNS_PER_WIDE_CHARACTER + len(word.text) - wide + (1 if not wide else 0)


def caption_of(words: list[Word]) -> Caption:
    """The words, one at least, as one piece."""
    span = SampleSpan(words[0].span.start, max(words[-1].span.end, words[0].span.start))
    return Caption(span, join_texts(word.text for word in words), tuple(words))

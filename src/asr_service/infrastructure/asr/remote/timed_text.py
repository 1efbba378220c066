"""Brings stamps and the text that they belong to together. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Word

_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_WIDE}]|(?:(?![{_WIDE}_])\w)+(?:['’\-.](?:(?![{_WIDE}_])\w)+)*")


@dataclass(frozen=True, slots=True)
class StampedPiece:
    """A part of a text, from its first character to before its last, and the milliseconds when it was said."""

    begin: int
    end: int
    start_ms: float
    end_ms: float

    def at_ms(self, position: int) -> float:
        """When the piece has come so far; its characters share its time."""
        inside = min(max(position, self.begin), self.end)
        share = (inside - self.begin) / max(1, self.end - self.begin)
        return self.start_ms + (self.end_ms - self.start_ms) * share

    def shifted(self, characters: int) -> "StampedPiece":
        return StampedPiece(self.begin + characters, self.end + characters, self.start_ms, self.end_ms)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, without punctuation; each Chinese or Japanese character is one."""
    return [match.span() for match in _WORD.finditer(text)]


def stamped_words(text: str, pieces: Sequence[StampedPiece], samples: int) -> tuple[Word, ...]:
    """The words of the text with the punctuation around them, in order, without overlap, inside the audio.

    Args:
        text: All of it.
        pieces: In order. Together they need not be all of the text; a word that has no part in any has no time.
        samples: Length of the audio.

    Returns:
        The words; none if one of them has no time, or if the pieces go back in time.
    """
    starts = [piece.start_ms for piece in pieces]
    spans = word_spans(text)
    if starts != sorted(starts) or not all(any(_touches(piece, span) for piece in pieces) for span in spans):
        return ()
    return tuple(_words(text, spans, pieces, samples))


def _touches(piece: StampedPiece, span: tuple[int, int]) -> bool:
    return piece.begin < span[1] and span[0] < piece.end


def _words(text: str, spans: Sequence[tuple[int, int]], pieces: Sequence[StampedPiece], samples: int) -> Iterator[Word]:
    begin = before = 0
    for number, span in enumerate(spans):
        next_at = spans[number + 1][0] if number + 1 < len(spans) else len(text)
        gap = text.find(" ", span[1], next_at)
        end = next_at if gap < 0 else gap  # punctuation belongs to the word before it, but for what follows a space
        inside = [piece for piece in pieces if _touches(piece, span)]
        start = min(samples, max(before, samples_from_ms(round(inside[0].at_ms(span[0])))))
        before = min(samples, max(start, samples_from_ms(round(inside[-1].at_ms(span[1])))))
        yield Word(text=text[begin:end].strip(), span=SampleSpan(start, before))
        begin = end

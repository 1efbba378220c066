"""Word times from what FunASR's servers say of them, if it is certain which stamp is whose. Pure.

There are as many stamps as the model had tokens: one for each Chinese character and each English word, without punctuation.
What was written for FunASR's html5 client, as this service was, has one for each character of a word that is not of Latin
letters only.
"""

import json
import re
from collections.abc import Sequence

from asr_service.domain.value_objects.hypothesis import Word
from asr_service.infrastructure.asr.remote.funasr_messages import ResultFrame
from asr_service.infrastructure.asr.remote.timed_text import StampedPiece, stamped_words, word_spans

_LATIN = re.compile(r"[a-zA-Z]+")
_SEPARATED = re.compile(r"[^。？，、?. ,]+")  # as the html5 client splits a text


def words_from_stamps(frames: Sequence[ResultFrame], text: str, samples: int) -> tuple[Word, ...]:
    """The words of a text, in order, without overlap, inside the audio; none if their times cannot be told.

    Args:
        frames: Of one exchange in mode offline; their stamps count from its start.
        text: The texts of all, joined.
        samples: Length of the audio.
    """
    pieces: list[StampedPiece] = []
    at = 0
    for frame in frames:
        own = (frame.text or "").strip()
        at = text.index(own, at)
        found = _pieces(own, _stamps(frame.stamps))
        if not found:
            return ()
        pieces += [piece.shifted(at) for piece in found]
        at += len(own)
    return stamped_words(text, pieces, samples)


def _pieces(text: str, stamps: Sequence[tuple[float, float]]) -> list[StampedPiece]:
    """The parts of one frame's text that have stamps; none if there are not as many as there should be."""
    for spans in (word_spans(text), _counted_spans(text)):
        if len(stamps) == len(spans):
            return [StampedPiece(*span, *stamp) for span, stamp in zip(spans, stamps, strict=True)]
    return []


def _stamps(value: object) -> list[tuple[float, float]]:
    """Pairs of milliseconds. Servers write them as JSON, as JSON in a text, or write something else in their place."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    pairs = value if isinstance(value, list) else []
    return [(pair[0], pair[1]) for pair in pairs] if all(map(_is_stamp, pairs)) else []


def _is_stamp(pair: object) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    return all(isinstance(edge, int | float) for edge in pair) and 0 <= pair[0] <= pair[1] < float("inf")


def _counted_spans(text: str) -> list[tuple[int, int]]:
    """As the html5 client counts: a run of Latin letters is one, and so is each unit of UTF-16 of anything else."""
    spans: list[tuple[int, int]] = []
    for match in _SEPARATED.finditer(text):
        if _LATIN.fullmatch(match.group()):
            spans.append(match.span())
            continue
        for at, letter in enumerate(match.group(), match.start()):
            spans += [(at, at + 1)] * (2 if ord(letter) > 0xFFFF else 1)
    return spans

"""Word times in the forms that FunASR's clients read.

The html5 client finds the stamp of a piece of text by counting: it splits the displayed text at punctuation and spaces,
and takes one stamp for a token of Latin letters only, and as many stamps as there are characters for any other token,
counted in UTF-16 as JavaScript does. So the list follows the displayed text, not the words of the recognizer.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from asr_service.domain.value_objects.audio_metadata import ms_from_samples
from asr_service.domain.value_objects.hypothesis import Hypothesis

Stamp = tuple[int, int]
"""Start and end in milliseconds from the start of the stream."""

_SEPARATORS = "。？，、?. ,"
_TOKEN = re.compile(f"[^{_SEPARATORS}]+")
_LATIN = re.compile(r"[a-zA-Z]+")
_PUNCTUATION = "。？，、?.,！!；;：:"


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    stamps: list[Stamp]
    punctuation: str


def stamps(hypothesis: Hypothesis) -> list[Stamp] | None:
    """One stamp per Latin word and per character of everything else; ``None`` when the words have no times."""
    tokens = _tokens(hypothesis)
    return None if tokens is None else [stamp for token in tokens for stamp in token.stamps]


def stamped_sentences(hypothesis: Hypothesis) -> list[dict[str, Any]] | None:
    """The ``stamp_sents`` field: a piece of text up to each punctuation mark; ``None`` when the words have no times."""
    tokens = _tokens(hypothesis)
    if tokens is None:
        return None
    sentences: list[list[_Token]] = [[]]
    for token in tokens:
        sentences[-1].append(token)
        if token.punctuation:
            sentences.append([])
    return [_sentence(sentence) for sentence in sentences if sentence]


def _sentence(tokens: list[_Token]) -> dict[str, Any]:
    times = [stamp for token in tokens for stamp in token.stamps]
    return {
        "text_seg": " ".join(piece for token in tokens for piece in _pieces(token.text)),
        "punc": tokens[-1].punctuation,
        "start": times[0][0],
        "end": times[-1][1],
        "ts_list": times,
    }


def _pieces(text: str) -> list[str]:
    return [text] if _LATIN.fullmatch(text) else list(text)


def _tokens(hypothesis: Hypothesis) -> list[_Token] | None:
    characters = _character_stamps(hypothesis)
    if characters is None:
        return None
    tokens = []
    for match in _TOKEN.finditer(hypothesis.text):
        found = characters[match.start() : match.end()]
        if _LATIN.fullmatch(match.group()):
            found = [(found[0][0], found[-1][1])]
        else:
            found = [stamp for letter, stamp in zip(match.group(), found, strict=True) for _ in range(_units(letter))]
        after = hypothesis.text[match.end() : match.end() + 1]
        tokens.append(_Token(match.group(), found, after if after and after in _PUNCTUATION else ""))
    return tokens


def _units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


def _character_stamps(hypothesis: Hypothesis) -> list[Stamp] | None:
    """A stamp for each character of the text; inside a word they are interpolated, between words they have no length."""
    words = [word for word in hypothesis.words if word.text]
    if not words:
        return None
    characters: list[Stamp] = []
    for word in words:
        at = hypothesis.text.find(word.text, len(characters))
        if at < 0:
            return None
        start, end = ms_from_samples(word.span.start), ms_from_samples(word.span.end)
        before = characters[-1][1] if characters else start
        characters += [(before, before)] * (at - len(characters))
        length = len(word.text)
        edges = [start + (end - start) * i // length for i in range(length + 1)]
        characters += pairwise(edges)
    last = characters[-1][1]
    return characters + [(last, last)] * (len(hypothesis.text) - len(characters))

"""Words in step with a text that was rewritten: their times are kept, and what became one word gets one time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
# What is compared: a character, or a word where words are written apart (3.14 and p.m are words), or a mark.
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:[^\w\s][^\W{_CJK}]+)*|\S")


@dataclass(frozen=True, slots=True)
class _Link:
    """A piece of the old text and what has become of it; half-open ranges of characters."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def rewritten(hypothesis: Hypothesis, text: str, *, characterwise: bool) -> Hypothesis:
    """The hypothesis with another text, and its words in step with that.

    Words whose texts were rewritten together become one: it begins with the first, ends with the last, and is as sure as
    the least sure of them. Words that cannot be found in the text that they belong to are left out with their times.

    Args:
        hypothesis: As it was.
        text: The new one.
        characterwise: Whether each character stands for the one that was in its place, if the texts are equally long.
    """
    if text == hypothesis.text:
        return hypothesis
    places = _places(hypothesis.words, hypothesis.text)
    if places is None:
        return replace(hypothesis, text=text, words=(), timing=Timing.NONE)
    if characterwise and len(text) == len(hypothesis.text):
        words = [replace(word, text=text[slice(*place)]) for word, place in zip(hypothesis.words, places, strict=True)]
    else:
        words = list(_regrouped(hypothesis.words, places, _links(hypothesis.text, text), text))
    return replace(hypothesis, text=text, words=tuple(words), timing=hypothesis.timing if words else Timing.NONE)


def _places(words: Sequence[Word], text: str) -> list[tuple[int, int]] | None:
    """Where each word stands in the text; ``None`` if one is not there."""
    places = []
    position = 0
    for word in words:
        start = text.find(word.text, position)
        if start < 0:
            return None
        position = start + len(word.text)
        places.append((start, position))
    return places


def _links(old: str, new: str) -> list[_Link]:
    """What became of each piece of the old text, in order; what was put in belongs to the piece before it."""
    old_tokens, new_tokens = list(_TOKEN.finditer(old)), list(_TOKEN.finditer(new))
    matcher = SequenceMatcher(None, [token[0] for token in old_tokens], [token[0] for token in new_tokens], False)
    links: list[_Link] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            pairs = zip(old_tokens[i1:i2], new_tokens[j1:j2], strict=True)
            links += [_Link(*one.span(), *other.span()) for one, other in pairs]
        elif tag == "insert":
            if links:
                links[-1] = replace(links[-1], new_end=new_tokens[j2 - 1].end())
        else:
            place = new_tokens[j1].start() if j1 < len(new_tokens) else len(new)
            end = new_tokens[j2 - 1].end() if j2 > j1 else place
            links.append(_Link(old_tokens[i1].start(), old_tokens[i2 - 1].end(), place, end))
    return links


def _regrouped(
    words: Sequence[Word], places: Sequence[tuple[int, int]], links: Sequence[_Link], text: str
) -> Iterator[Word]:
    """The new words: the least groups of old ones that no link reaches out of."""
    number = 0
    while number < len(words):
        first, (start, end) = number, places[number]
        number += 1
        reached = [link for link in links if link.old_start < end and start < link.old_end]
        while number < len(words) and reached and places[number][0] < reached[-1].old_end:
            end = places[number][1]
            number += 1
            reached = [link for link in links if link.old_start < end and start < link.old_end]
        group = words[first:number]
        new = text[reached[0].new_start : reached[-1].new_end].strip() if reached else ""
        if new:
            yield group[0] if len(group) == 1 and new == group[0].text else _joined(group, new)


def _joined(words: Sequence[Word], text: str) -> Word:
    sure = [word.confidence for word in words if word.confidence is not None]
    span = SampleSpan(words[0].span.start, words[-1].span.end)
    return Word(text, span, min(sure) if len(sure) == len(words) else None)

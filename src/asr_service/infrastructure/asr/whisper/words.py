"""Words with times, from aligned tokens.

A word is what stands between spaces; in scripts that are written without spaces it is a character. Punctuation belongs to
its neighbour and takes no time of its own, since its tokens swallow the pauses.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from faster_whisper.tokenizer import Tokenizer
from numpy.typing import NDArray

from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Word
from asr_service.infrastructure.asr.whisper.network import TokenAlignment
from asr_service.infrastructure.asr.whisper.repetition import UNSPACED

STEP_SAMPLES = 320  # the encoder says something each 20 ms
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")
_OPENING = frozenset("([{\"'«‹“‘„¿¡《〈「『【（［｛")
_CLOSURE_STEPS = 5  # less quiet belongs to the word: the closure of a p or t lasts up to 100 ms
_PAUSE_STEPS = 10  # more quiet inside a word is a pause between two of them
# Quiet is what is near the background, or far below the loudest sound of the word; soft consonants lie some 15 to 25 dB below
# their vowel.
_NEAR_FLOOR_DB = 6.0
_NEAR_FLOOR_SHARE = 1 / 3
_QUIET_DB = 30.0
_AUDIBLE_DB = 15.0
_FLOOR_PERCENTILE = 5
_MUTED_DBFS = -90.0  # the least a 16-bit sample can say


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    start: float
    end: float
    probability: float


class _Cluster:
    """A word in the making: characters without a gap, spoken ones and punctuation."""

    def __init__(self) -> None:
        self.characters: list[_Character] = []

    @property
    def text(self) -> str:
        return "".join(character.text for character in self.characters)

    @property
    def spoken(self) -> list[_Character]:
        return [character for character in self.characters if _is_spoken(character.text)]

    def takes(self, character: _Character) -> bool:
        """Whether the character goes on with this word."""
        if not self.characters or not self.spoken:
            return True
        last = self.characters[-1].text
        if not _is_spoken(character.text):
            return character.text not in _OPENING or not (_is_unspaced(last) or _is_wide(character.text))
        if unicodedata.category(character.text)[0] == "M" or character.text == "ー":
            return True
        return not (_is_unspaced(character.text) or _is_unspaced(last) or _is_wide(last))


def words_from_alignment(
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    alignment: TokenAlignment,
    levels_dbfs: NDArray[np.float32],
    samples: int,
) -> tuple[Word, ...]:
    """Groups aligned tokens into words, in order, without overlap, inside the audio.

    The characters of one token share its time equally: the network aligns tokens, which in Chinese and Japanese are
    mostly single characters and at most a few. Where a word begins or ends in at least 100 ms of quiet, or has a pause
    inside, only its sound counts: the alignment has no token for a pause, and gives it to a neighbour. A word lasts at
    least a step, the resolution of the network, as long as there is audio left.

    Args:
        tokenizer: Of the language of the text.
        tokens: Text tokens.
        alignment: Of these tokens.
        levels_dbfs: Level of each 20 ms of the audio.
        samples: Length of the audio.
    """
    floor_dbfs = _floor_dbfs(levels_dbfs)
    words = []
    position = 0
    for cluster in _clusters(_characters(tokenizer, tokens, alignment)):
        spoken = cluster.spoken
        start, end = _without_quiet(levels_dbfs, floor_dbfs, round(spoken[0].start), round(spoken[-1].end))
        first = min(max(position, start * STEP_SAMPLES), samples)
        position = min(max(first + STEP_SAMPLES, end * STEP_SAMPLES), samples)
        confidence = sum(character.probability for character in spoken) / len(spoken)
        words.append(Word(cluster.text, SampleSpan(first, position), round(min(1.0, confidence), 4)))
    return tuple(words)


def _characters(tokenizer: Tokenizer, tokens: Sequence[int], alignment: TokenAlignment) -> Iterator[_Character]:
    texts, groups = tokenizer.split_tokens_on_unicode(list(tokens))
    first = 0
    for text, group in zip(texts, groups, strict=True):
        last = first + len(group)
        start, end = alignment.starts[first], alignment.starts[last]
        probability = sum(alignment.probabilities[first:last]) / len(group)
        visible = text.strip() or " "
        share = (end - start) / len(visible)
        if text[0].isspace():
            yield _Character(" ", start, start, probability)
        for index, character in enumerate(visible):
            yield _Character(character, start + index * share, start + (index + 1) * share, probability)
        if text[-1].isspace():
            yield _Character(" ", end, end, probability)
        first = last


def _clusters(characters: Iterator[_Character]) -> Iterator[_Cluster]:
    cluster = _Cluster()
    for character in characters:
        gap = character.text.isspace()
        if (gap or not cluster.takes(character)) and cluster.spoken:
            yield cluster
            cluster = _Cluster()
        if not gap:
            cluster.characters.append(character)
    if cluster.spoken:
        yield cluster


def _floor_dbfs(levels_dbfs: NDArray[np.float32]) -> float:
    """The level of the background; what was muted in between is none."""
    heard = levels_dbfs[levels_dbfs > _MUTED_DBFS]
    return float(np.percentile(heard, _FLOOR_PERCENTILE)) if heard.size else _MUTED_DBFS


def _without_quiet(levels_dbfs: NDArray[np.float32], floor_dbfs: float, start: int, end: int) -> tuple[int, int]:
    levels = levels_dbfs[start:end]
    if not levels.size:
        return start, end
    loud = np.flatnonzero(levels >= _threshold_dbfs(float(levels.max()), floor_dbfs))
    pauses = np.flatnonzero(np.diff(loud) > _PAUSE_STEPS)
    longest = max(np.split(loud, pauses + 1), key=len)
    before, after = int(longest[0]), levels.size - 1 - int(longest[-1])
    return (
        start + before if before >= _CLOSURE_STEPS else start,
        end - after if after >= _CLOSURE_STEPS else end,
    )


def _threshold_dbfs(peak_dbfs: float, floor_dbfs: float) -> float:
    near_floor = floor_dbfs + max(_NEAR_FLOOR_DB, _NEAR_FLOOR_SHARE * (peak_dbfs - floor_dbfs))
    return max(peak_dbfs - _QUIET_DB, min(near_floor, peak_dbfs - _AUDIBLE_DB))


def _is_spoken(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN" or character in "%&+@$€£¥°"


def _is_unspaced(character: str) -> bool:
    return _UNSPACED_CHARACTER.match(character) is not None


def _is_wide(character: str) -> bool:
    return not _is_spoken(character) and unicodedata.east_asian_width(character) in "WF"

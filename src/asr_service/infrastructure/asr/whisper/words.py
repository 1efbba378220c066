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
_LEAST_PAUSE_STEPS = 5  # shorter quiet belongs to the word: the closure of a p or t lasts up to 100 ms
_QUIET_SHARE = 0.25  # of the way from the quietest to the loudest of the audio, in dB


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

    The characters of one token share its time equally: the network aligns tokens, which in Chinese and Japanese are mostly
    single characters and at most a few. Where a word begins or ends in at least 100 ms of quiet, that quiet is taken off: the
    alignment has no token for a pause, and gives it to a neighbour.

    Args:
        tokenizer: Of the language of the text.
        tokens: Text tokens.
        alignment: Of these tokens.
        levels_dbfs: Level of each 20 ms of the audio.
        samples: Length of the audio.
    """
    quiet = _quiet_steps(levels_dbfs)
    words = []
    position = 0
    for cluster in _clusters(_characters(tokenizer, tokens, alignment)):
        spoken = cluster.spoken
        start, end = _without_quiet(quiet, round(spoken[0].start), round(spoken[-1].end))
        first = min(max(position, start * STEP_SAMPLES), samples)
        position = min(max(first, end * STEP_SAMPLES), samples)
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


def _quiet_steps(levels_dbfs: NDArray[np.float32]) -> NDArray[np.bool_]:
    low, high = np.percentile(levels_dbfs, (5, 95)) if levels_dbfs.size else (0.0, 0.0)
    quiet: NDArray[np.bool_] = levels_dbfs < low + _QUIET_SHARE * (high - low)
    return quiet


def _without_quiet(quiet: NDArray[np.bool_], start: int, end: int) -> tuple[int, int]:
    loud = np.flatnonzero(~quiet[start:end])
    if not loud.size:
        return start, end
    before, after = int(loud[0]), end - start - 1 - int(loud[-1])
    return (
        start + before if before >= _LEAST_PAUSE_STEPS else start,
        end - after if after >= _LEAST_PAUSE_STEPS else end,
    )


def _is_spoken(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN" or character in "%&+@$€£¥°"


def _is_unspaced(character: str) -> bool:
    return _UNSPACED_CHARACTER.match(character) is not None


def _is_wide(character: str) -> bool:
    return not _is_spoken(character) and unicodedata.east_asian_width(character) in "WF"

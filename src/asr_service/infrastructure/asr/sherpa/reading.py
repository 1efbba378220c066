"""From what sherpa-onnx gives to a hypothesis: text, words with times, language."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ, SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.infrastructure.asr.whisper.phantom_phrases import is_phantom
from asr_service.infrastructure.asr.whisper.repetition import UNSPACED, without_loops

# A model says when a token begins. It ends where the next one begins, and after a pause no later than this: a syllable lasts
# about 0.2 s, a token of several letters up to twice as long.
_LONGEST_TOKEN_SAMPLES = round(0.4 * SAMPLE_RATE_HZ)
_SPACES = (" ", "▁")
_GOES_ON = "@@"
_UNSPACED = re.compile(f"[{UNSPACED}]")
_LANGUAGE_TAG = re.compile(r"<\|([a-z]{2,3})\|>")
_FAINT_DBFS = -50.0
_LIVELY_DB = 10.0  # from the quiet frames of a spoken word with its margins to its loudest there are 20 dB and more


class Decoded(Protocol):
    """What the results of sherpa-onnx have in common; reading a text that is no UTF-8 raises ``UnicodeDecodeError``.

    ``timestamps`` are seconds from the start of the audio, one for each token, or none at all.
    """

    text: str
    tokens: Sequence[str]
    timestamps: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    begins_word: bool
    start: int


def hypothesis_of(
    decoded: Decoded, request: RecognitionRequest, capabilities: RecognizerCapabilities, language: str | None = None
) -> Hypothesis:
    """The hypothesis for a request.

    Args:
        decoded: The result.
        request: What was asked.
        capabilities: Of the model: its languages, and whether the times of its tokens count.
        language: That the model found; ``None``: it does not say.
    """
    options = request.options
    language = language or options.language or _only(capabilities.languages)
    text = without_loops(decoded.text.strip())
    wanted = request.kind is RecognitionKind.FINAL and options.word_times and capabilities.word_times
    words = read_words(decoded.tokens, decoded.timestamps, len(request.span)) if wanted and text else ()
    return Hypothesis(
        text=text,
        words=words,
        timing=Timing.ALIGNED if words else Timing.NONE,
        language=language,
    )


def language_in(tag: str, known: Collection[str]) -> str | None:
    """The language that a tag such as ``<|zh|>`` names, if the model knows it."""
    match = _LANGUAGE_TAG.fullmatch(tag)
    return match.group(1) if match is not None and match.group(1) in known else None


def is_made_up(text: str, levels_dbfs: NDArray[np.float32]) -> bool:
    """Whether the text is what models write for noise, and nothing in the levels of the audio speaks for speech.

    Some models have no probability for their text. So what counts is whether the audio is faint, or as steady as no voice is.

    Args:
        text: Of the model.
        levels_dbfs: Level of each 20 ms.
    """
    if not is_phantom(text):
        return False
    loudest = float(levels_dbfs.max())
    return loudest < _FAINT_DBFS or loudest - float(np.percentile(levels_dbfs, 10)) < _LIVELY_DB


def read_words(tokens: Sequence[str], starts_s: Sequence[float], samples: int) -> tuple[Word, ...]:
    """Words with times from tokens with times; none if there is not a time for each token.

    A word begins with a token that has a space before it, written as such or as ``▁``, and after a token that does not end in
    ``@@``, which is how Paraformer says that a word goes on. A character of a script without spaces is a word by itself.

    Args:
        tokens: In order.
        starts_s: When each begins, in seconds from the start of the audio.
        samples: Length of the audio, which no word exceeds.
    """
    if len(tokens) != len(starts_s):
        return ()
    read = list(_tokens(tokens, starts_s, samples))
    ends = [*(token.start for token in read), samples][1:]
    words: list[Word] = []
    for token, following in zip(read, ends, strict=True):
        end = max(token.start, min(following, token.start + _LONGEST_TOKEN_SAMPLES))
        if words and not token.begins_word:
            words[-1] = Word(words[-1].text + token.text, SampleSpan(words[-1].span.start, end))
        else:
            words.append(Word(token.text, SampleSpan(token.start, end)))
    return tuple(words)


def _tokens(tokens: Sequence[str], starts_s: Sequence[float], samples: int) -> Iterator[_Token]:
    spaced = any(token.startswith(_SPACES) for token in tokens)
    earliest, gap, after_unspaced = 0, True, False
    for token, start_s in zip(tokens, starts_s, strict=True):
        earliest = min(samples, max(earliest, round(start_s * SAMPLE_RATE_HZ)))
        gap = gap or token.startswith(_SPACES)
        if not (bare := token.strip("".join(_SPACES))):
            continue
        text = bare.removesuffix(_GOES_ON)
        unspaced = _UNSPACED.match(text) is not None
        yield _Token(text, (gap or unspaced or after_unspaced) and not _is_sign(text), earliest)
        gap = token.endswith(_SPACES) or not (spaced or bare.endswith(_GOES_ON))
        after_unspaced = unspaced


def _is_sign(text: str) -> bool:
    return not any(character.isalnum() for character in text)


def _only(languages: frozenset[str]) -> str | None:
    return next(iter(languages)) if len(languages) == 1 else None

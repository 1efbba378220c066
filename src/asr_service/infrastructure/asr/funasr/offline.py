"""Whole utterances, several at once: Paraformer and its relatives, and SenseVoice."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.infrastructure.asr.funasr.hearing import Heard, Traits, Utterance
from asr_service.infrastructure.asr.funasr.loading import LoadedModel
from asr_service.infrastructure.asr.funasr.rich_text import LANGUAGES, read_rich_text
from asr_service.infrastructure.asr.funasr.spelling import join
from asr_service.infrastructure.asr.funasr.timed_words import TimedPiece
from asr_service.infrastructure.asr.funasr.vocabulary import has_digits, languages_of

log = structlog.get_logger(__name__)


class Dialect(Protocol):
    """What differs between the models: what they are told, and how their answers are read.

    Attributes:
        batches: Whether an utterance is heard the same beside longer ones, for which silence is put after it. If not, only
            utterances of one length are heard together.
    """

    batches: bool

    @property
    def traits(self) -> Traits: ...

    def choices(self, utterance: Utterance) -> dict[str, Any]:
        """What is to be said to FunASR; utterances with the same choices are heard together."""
        ...

    def untimed(self, choices: dict[str, Any]) -> dict[str, Any]:
        """The same choices without a wish for times."""
        ...

    def read(self, result: dict[str, Any], choices: dict[str, Any]) -> Heard:
        """What one result says."""
        ...


class OfflineHearing:
    """A model that hears utterances as a whole, partials included."""

    def __init__(self, model: LoadedModel, dialect: Dialect) -> None:
        self._model = model
        self._dialect = dialect

    @property
    def traits(self) -> Traits:
        return self._dialect.traits

    def hear(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """See ``Hearing``. Utterances that ask for the same are recognized together, as far as that changes no text."""
        wishes = [self._dialect.choices(utterance) for utterance in utterances]
        groups: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        for index, choices in enumerate(wishes):
            length = 0 if self._dialect.batches else len(utterances[index].samples)
            groups[length, repr(choices)].append(index)
        answers: dict[int, Heard] = {}
        for indices in groups.values():
            choices = wishes[indices[0]]
            results = self._results([utterances[index].samples for index in indices], choices)
            for index, result in zip(indices, results, strict=True):
                answers[index] = self._dialect.read(result, choices)
        return [answers[index] for index in range(len(utterances))]

    def _results(self, samples: Sequence[NDArray[np.float32]], choices: dict[str, Any]) -> list[dict[str, Any]]:
        plain = self._dialect.untimed(choices)
        try:
            results = self._model.infer(samples, **choices)
        except Exception as error:
            # FunASR aligns outside of the network, and trips over some texts; the text is owed all the same.
            if plain == choices:
                raise
            log.warning("times_not_aligned", error=type(error).__name__)
            results = self._model.infer(samples, **plain)
        return results or [{"text": ""} for _ in samples]  # nothing at all: there is no token in any of them


class ParaformerDialect:
    """Paraformer, BiCif-, SeACo- and Contextual Paraformer.

    The predictor, which counts tokens, looks a frame ahead, at the end of an utterance into what was put after it: in a batch
    the last token may come or go.

    Args:
        model: Of this family.
        word_times: Whether the model has a part of its own for times.
        hotwords: Whether it takes hotwords; the others ignore them.
    """

    batches = False

    def __init__(self, model: LoadedModel, *, word_times: bool = False, hotwords: bool = False) -> None:
        self.traits = Traits(
            languages=languages_of(model.tokens),
            word_times=word_times,
            hotwords=hotwords,
            spoken_numbers=not has_digits(model.tokens),
        )

    def choices(self, utterance: Utterance) -> dict[str, Any]:
        words = utterance.request.options.hotwords if self.traits.hotwords else ()
        return {"hotword": hotword_line(words)} if words else {}

    def untimed(self, choices: dict[str, Any]) -> dict[str, Any]:
        return choices

    def read(self, result: dict[str, Any], choices: dict[str, Any]) -> Heard:
        """Models that time words write them with spaces between all of them; the others write a plain text."""
        times = result.get("timestamp")
        if times is None:
            return Heard(result["text"].strip())
        words = result["text"].split()
        return Heard(join(words), pieces=_pieces(words, times))


class SenseVoiceDialect:
    """SenseVoice: five languages; punctuation, and numbers in digits, where numbers in words are not asked for."""

    batches = True
    traits = Traits(languages=LANGUAGES, word_times=True, spoken_numbers=True, punctuated=True, cased=True)

    def choices(self, utterance: Utterance) -> dict[str, Any]:
        options = utterance.request.options
        likely = options.likely_languages
        return {
            "language": options.language or (likely[0] if len(likely) == 1 else "auto"),
            "use_itn": options.numbers is not Numbers.SPOKEN,
            "output_timestamp": utterance.is_final and options.word_times,
        }

    def untimed(self, choices: dict[str, Any]) -> dict[str, Any]:
        return {**choices, "output_timestamp": False}

    def read(self, result: dict[str, Any], choices: dict[str, Any]) -> Heard:
        rich = read_rich_text(result["text"])
        language = rich.language if choices["language"] == "auto" else choices["language"]
        pieces = _pieces(result.get("words", ()), result.get("timestamp", ()))
        return Heard(rich.text, language, pieces, punctuated=choices["use_itn"])


def hotword_line(words: Sequence[str]) -> str:
    """Hotwords as FunASR takes them, separated by spaces.

    FunASR fetches a line that is an address, and opens one that is the name of a text file; with a space before and after
    it, it is neither.
    """
    return f" {' '.join(words)} "


def _pieces(words: Sequence[str], times: Sequence[Sequence[float]]) -> tuple[TimedPiece, ...]:
    """The words with their times in milliseconds; none if there are not as many of both."""
    if len(words) != len(times):
        return ()
    return tuple(TimedPiece(word, time[0], time[1]) for word, time in zip(words, times, strict=True))

"""What the engine and the models of FunASR tell each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.infrastructure.asr.funasr.timed_words import TimedPiece


@dataclass(frozen=True, slots=True)
class Utterance:
    """A request, and its audio: float32, full scale at 1."""

    request: RecognitionRequest
    samples: NDArray[np.float32]

    @property
    def is_final(self) -> bool:
        return self.request.kind is RecognitionKind.FINAL


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model has made of an utterance.

    Attributes:
        text: Without surrounding spaces.
        language: Code of the language that it has found; ``None`` if it does not tell.
        pieces: Parts of the text with their times; empty if it has not timed them.
        punctuated: Whether the model has seen to punctuation itself.
    """

    text: str
    language: str | None = None
    pieces: tuple[TimedPiece, ...] = ()
    punctuated: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model can do; see ``RecognizerCapabilities``."""

    languages: frozenset[str]
    word_times: bool = False
    hotwords: bool = False
    spoken_numbers: bool = False
    punctuated: bool = False
    cased: bool = False
    streaming: bool = False


class Hearing(Protocol):
    """A model of FunASR's, and the way in which it is asked."""

    @property
    def traits(self) -> Traits: ...

    def hear(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """One answer for each utterance, in the same order."""
        ...

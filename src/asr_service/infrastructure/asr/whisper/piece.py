"""One request on its way through the engine."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.infrastructure.asr.whisper.guard import Attempt
from asr_service.infrastructure.asr.whisper.network import Features, Memory
from asr_service.infrastructure.asr.whisper.silence import is_suspicious


@dataclass(slots=True, eq=False)
class Piece:
    """A request, its audio in the forms that the steps need, and what has been found out so far.

    Attributes:
        index: Position in the batch.
        request: As it came.
        samples: The audio, 16 kHz.
        levels_dbfs: Level of each 20 ms.
        features: Log-mel features without padding.
        language: That it is to be decoded in: given, or detected.
        detected: The likeliest languages and their probabilities, the best first; empty when the language was given.
        memory: Latest output of the encoder.
        attempts: All decodings, the latest last.
    """

    index: int
    request: RecognitionRequest
    samples: NDArray[np.int16]
    levels_dbfs: NDArray[np.float32]
    features: Features
    language: str | None
    detected: list[tuple[str, float]] = field(default_factory=list)
    memory: Memory | None = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def frames(self) -> int:
        return int(self.features.shape[1])

    @property
    def is_final(self) -> bool:
        return self.request.kind is RecognitionKind.FINAL

    @property
    def seems_silent(self) -> bool:
        """Whether there is likely no speech, should no text be credible."""
        return any(is_suspicious(attempt.no_speech_probability) for attempt in self.attempts)

    @property
    def settled_text(self) -> str:
        """What a partial goes on from; a final is decoded as a whole, since what was settled too early may be wrong."""
        return "" if self.is_final else self.request.settled_text.strip()

    @property
    def known_language(self) -> str:
        if self.language is None:
            raise ValueError("the piece has no language yet")
        return self.language

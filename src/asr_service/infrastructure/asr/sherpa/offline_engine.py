"""Models that hear an utterance as a whole, by sherpa-onnx."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.engine import EngineFailure, Outcome
from asr_service.infrastructure.asr.refusal import refusal
from asr_service.infrastructure.asr.sherpa.hotwords import new_stream
from asr_service.infrastructure.asr.sherpa.reading import hypothesis_of, is_made_up, language_in
from asr_service.infrastructure.asr.whisper.silence import frame_levels_dbfs, is_inaudible

_FULL_SCALE = 32_768.0


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    request: RecognitionRequest
    stream: Any
    levels_dbfs: NDArray[np.float32]


class OfflineSherpaEngine:
    """Decodes the requests of a batch in one call of an ``OfflineRecognizer``.

    sherpa-onnx goes on after an error in a model, and gives an empty text. Audio that is too short for the first layers is the
    one known cause, so it is filled up with silence.

    Args:
        recognizer: An ``OfflineRecognizer``.
        capabilities: What it can do.
        min_samples: Shorter audio is filled up to so many.
    """

    def __init__(self, recognizer: Any, capabilities: RecognizerCapabilities, min_samples: int) -> None:
        self._recognizer = recognizer
        self._capabilities = capabilities
        self._min_samples = min_samples

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        """Recognizes all requests at once; see :class:`asr_service.infrastructure.asr.engine.Engine`."""
        prepared = [self._prepare(request) for request in batch]
        if streams := [piece.stream for piece in prepared if isinstance(piece, _Piece)]:
            self._recognizer.decode_streams(streams)
        return [self._read(item) if isinstance(item, _Piece) else item for item in prepared]

    def _prepare(self, request: RecognitionRequest) -> _Piece | Outcome:
        if (failure := refusal(request, self._capabilities)) is not None:
            return failure
        samples = np.frombuffer(request.pcm, dtype="<i2")
        levels_dbfs = frame_levels_dbfs(samples)
        if is_inaudible(levels_dbfs):
            return Hypothesis(text="", language=request.options.language)
        stream = new_stream(self._recognizer, request, self._capabilities)
        stream.accept_waveform(SAMPLE_RATE_HZ, self._waveform(samples))
        return _Piece(request, stream, levels_dbfs)

    def _waveform(self, samples: NDArray[np.int16]) -> NDArray[np.float32]:
        lacking = max(0, self._min_samples - len(samples))
        return np.pad(samples.astype(np.float32) / _FULL_SCALE, (0, lacking))

    def _read(self, piece: _Piece) -> Outcome:
        result = piece.stream.result
        try:
            language = language_in(result.lang, self._capabilities.languages)
            hypothesis = hypothesis_of(result, piece.request, self._capabilities, language)
        except UnicodeDecodeError:
            return EngineFailure("The model wrote half a character, as it does for sounds that are no speech.")
        return (
            Hypothesis(text="", language=hypothesis.language)
            if is_made_up(hypothesis.text, piece.levels_dbfs)
            else hypothesis
        )

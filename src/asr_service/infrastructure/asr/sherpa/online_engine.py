"""Models that hear an utterance as it grows, by sherpa-onnx."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.asr.engine import EngineFailure, Outcome
from asr_service.infrastructure.asr.refusal import refusal
from asr_service.infrastructure.asr.sherpa.hotwords import new_stream
from asr_service.infrastructure.asr.sherpa.reading import hypothesis_of
from asr_service.infrastructure.asr.stream_cache import FedStream, StreamCache
from asr_service.infrastructure.asr.whisper.silence import frame_levels_dbfs, is_inaudible

CHUNK_SAMPLES = 1_600
"""A stream is fed so many at a time, counted from the start of the utterance: 0.1 s, the shortest interval of partials."""

TAIL_SAMPLES = 10_560
"""Silence after the last sample, so that the last words come out of the encoder: 0.66 s, as in sherpa-onnx's own examples."""

_FULL_SCALE = 32_768.0
_STREAM_BYTES = 4 << 20  # states of a Zipformer of 70 M parameters; sherpa-onnx does not tell
_FEATURE_BYTES_PER_SAMPLE = 2  # 80 numbers of 4 bytes each 10 ms, which a stream keeps


@dataclass(slots=True, eq=False)
class _Turn:
    """A request and the stream that is fed from it."""

    request: RecognitionRequest
    fed: FedStream[Any]

    @property
    def is_final(self) -> bool:
        return self.request.kind is RecognitionKind.FINAL


class OnlineSherpaEngine:
    """Feeds each utterance into a stream of its own; the streams of a batch are decoded together, a chunk at a time.

    What it answers depends on the request alone: whether a stream that was kept fits is the matter of ``StreamCache``. The
    endpoints of sherpa-onnx are off, since where an utterance ends is known here.

    Args:
        recognizer: An ``OnlineRecognizer``.
        capabilities: What it can do.
        streams: Those of the utterances that are being spoken.
    """

    def __init__(self, recognizer: Any, capabilities: RecognizerCapabilities, streams: StreamCache[Any]) -> None:
        self._recognizer = recognizer
        self._capabilities = capabilities
        self._streams = streams

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        """Recognizes all requests at once; see :class:`asr_service.infrastructure.asr.engine.Engine`."""
        prepared = [self._prepare(request) for request in batch]
        turns = [item for item in prepared if isinstance(item, _Turn)]
        for turn in turns:
            self._feed(turn)
        self._decode([turn.fed.stream for turn in turns])
        return [self._read(item) if isinstance(item, _Turn) else item for item in prepared]

    def _prepare(self, request: RecognitionRequest) -> _Turn | Outcome:
        if (failure := refusal(request, self._capabilities)) is not None:
            return failure
        fed = self._streams.take(request)
        if is_inaudible(frame_levels_dbfs(np.frombuffer(request.pcm, dtype="<i2"))):
            return Hypothesis(text="", language=request.options.language)
        return _Turn(request, fed or FedStream(new_stream(self._recognizer, request, self._capabilities)))

    def _feed(self, turn: _Turn) -> None:
        fed, samples = turn.fed, len(turn.request.pcm) // BYTES_PER_SAMPLE
        until = samples if turn.is_final else samples // CHUNK_SAMPLES * CHUNK_SAMPLES
        fed.stream.accept_waveform(SAMPLE_RATE_HZ, _waveform(turn.request.pcm, fed.fed_samples, until))
        fed.fed_samples = max(fed.fed_samples, until)
        if turn.is_final:
            fed.stream.accept_waveform(SAMPLE_RATE_HZ, np.zeros(TAIL_SAMPLES, dtype=np.float32))
            fed.stream.input_finished()

    def _decode(self, streams: list[Any]) -> None:
        while ready := [stream for stream in streams if self._recognizer.is_ready(stream)]:
            self._recognizer.decode_streams(ready)

    def _read(self, turn: _Turn) -> Outcome:
        try:
            result = self._recognizer.get_result_all(turn.fed.stream)
            hypothesis = hypothesis_of(result, turn.request, self._capabilities)
        except UnicodeDecodeError:
            hypothesis = None
        if not turn.is_final:
            size_bytes = _STREAM_BYTES + _FEATURE_BYTES_PER_SAMPLE * turn.fed.fed_samples
            self._streams.put(turn.request, turn.fed, size_bytes)
        return hypothesis or EngineFailure("The model has written half a character so far.")


def _waveform(pcm: bytes, start: int, end: int) -> NDArray[np.float32]:
    """The samples from ``start`` to ``end`` as sherpa-onnx takes them, in -1 to 1."""
    samples = np.frombuffer(pcm, dtype="<i2")[start:end]
    return samples.astype(np.float32) / _FULL_SCALE

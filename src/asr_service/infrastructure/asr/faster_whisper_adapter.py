"""Whisper on faster-whisper and CTranslate2: short context, batches, guards, aligned words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.infrastructure.asr.engine import Outcome
from asr_service.infrastructure.asr.refusal import refusal
from asr_service.infrastructure.asr.whisper.aligning import align_words
from asr_service.infrastructure.asr.whisper.decoding import EncoderContext, PieceDecoder
from asr_service.infrastructure.asr.whisper.guard import Attempt
from asr_service.infrastructure.asr.whisper.network import WhisperNetwork
from asr_service.infrastructure.asr.whisper.piece import Piece
from asr_service.infrastructure.asr.whisper.reading import read
from asr_service.infrastructure.asr.whisper.repetition import compression_ratio
from asr_service.infrastructure.asr.whisper.silence import frame_levels_dbfs, is_inaudible
from asr_service.infrastructure.asr.whisper.strategy import decode

_ENGINE = "faster-whisper"
MAX_SECONDS = 29.0  # the encoder hears 30 s, and wants some silence after the speech
# Their decoders were pruned and trained again, on transcripts only; asked to translate, they transcribe.
_UNABLE_TO_TRANSLATE = ("turbo", "distil")


@dataclass(frozen=True, slots=True)
class FasterWhisperEngineFactory:
    """Loads a Whisper model; picklable.

    Attributes:
        model_directory: In CTranslate2's format, with ``tokenizer.json``. Nothing is fetched.
        model_name: As it is called in the catalogue, for example ``whisper-base``.
        device: ``cpu`` or ``cuda``.
        device_index: Which of several GPUs, from 0.
        compute_type: CTranslate2's name for the arithmetic.
        threads: CPU threads of one call.
        beam_size: Width of the search for finals that do not say; partials are decoded greedily. Measured with Whisper base
            int8 on 117 pieces as live sessions cut them: 1 leaves 7.9 % of English words and 16.7 % of Mandarin characters
            wrong, 3 leaves 7.8 % and 13.6 %, 5 leaves 7.5 % and 13.1 % for 12 % more CPU time than 1, 8 no less.
        context: How much the encoder is given at first.
        finals_context_s: Least of it for finals, in seconds; up to the 30 that Whisper was trained on.
        fallback_temperatures: Tried in order on finals that no deterministic attempt made credible (openai/whisper's).
        samplings: Texts drawn at such a temperature, of which the most probable counts. openai/whisper draws 5; among
            several, a loop is usually the most probable one.
    """

    model_directory: Path
    model_name: str
    device: str = "cpu"
    device_index: int = 0
    compute_type: str = "int8"
    threads: int = 1
    beam_size: int = 5
    context: EncoderContext = field(default_factory=EncoderContext)
    finals_context_s: float = 10.0
    fallback_temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    samplings: int = 1

    def __call__(self) -> "FasterWhisperEngine":
        network = WhisperNetwork(self.model_directory, self.device, self.device_index, self.compute_type, self.threads)
        decoder = PieceDecoder(network, self.context, self.finals_context_s, self.beam_size, self.samplings)
        return FasterWhisperEngine(self.model_name, network, decoder, self.fallback_temperatures)


class FasterWhisperEngine:
    """Turns batches of requests into hypotheses with one Whisper model.

    A piece is encoded in a short context and decoded; a final that loops, or has no text, is decoded again from the customary
    30 s, then at rising temperatures, and the most probable text counts. A partial gets one attempt, from which loops are cut.
    """

    def __init__(
        self, model_name: str, network: WhisperNetwork, decoder: PieceDecoder, fallback_temperatures: Sequence[float]
    ) -> None:
        self._network = network
        self._decoder = decoder
        self._fallback_temperatures = tuple(fallback_temperatures)
        self._capabilities = whisper_capabilities(model_name, network.languages, word_times=network.aligns)

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        """Recognizes all requests at once; see :class:`asr_service.infrastructure.asr.engine.Engine`."""
        outcomes: dict[int, Outcome] = {}
        pieces = []
        for index, request in enumerate(batch):
            prepared = self._prepare(index, request)
            if isinstance(prepared, Piece):
                pieces.append(prepared)
            else:
                outcomes[index] = prepared
        decode(self._decoder, pieces, self._fallback_temperatures)
        outcomes |= self._hypotheses(pieces)
        return [outcomes[index] for index in range(len(batch))]

    def _prepare(self, index: int, request: RecognitionRequest) -> Piece | Outcome:
        if (failure := refusal(request, self._capabilities)) is not None:
            return failure
        language = request.options.language
        samples = np.frombuffer(request.pcm, dtype="<i2")
        levels_dbfs = frame_levels_dbfs(samples)
        if is_inaudible(levels_dbfs):
            return Hypothesis(text="", language=language)
        if not self._network.multilingual:
            language = next(iter(self._network.languages))
        return Piece(index, request, samples, levels_dbfs, self._network.features(samples), language)

    def _hypotheses(self, pieces: Sequence[Piece]) -> dict[int, Hypothesis]:
        readings = {piece: read(piece) for piece in pieces}
        aligned = {piece: attempt for piece, attempt in readings.items() if self._wants_words(piece, attempt)}
        words = align_words(self._network, aligned)
        return {piece.index: _hypothesis(piece, attempt, words.get(piece, ())) for piece, attempt in readings.items()}

    def _wants_words(self, piece: Piece, attempt: Attempt) -> bool:
        options = piece.request.options
        wanted = piece.is_final and options.word_times and options.task is Task.TRANSCRIBE
        return wanted and bool(attempt.text) and self._network.aligns


def whisper_capabilities(
    model_name: str, languages: frozenset[str], *, word_times: bool = True
) -> RecognizerCapabilities:
    """What a Whisper model can do that knows these languages; ``word_times`` says whether it can be aligned."""
    return RecognizerCapabilities(
        engine=_ENGINE,
        model=model_name,
        languages=languages,
        word_times=word_times,
        hotwords=True,
        prompt=True,
        spoken_numbers=True,
        translation=translates(model_name, multilingual=len(languages) > 1),
        max_seconds=MAX_SECONDS,
    )


def translates(model_name: str, *, multilingual: bool) -> bool:
    """Whether a Whisper model can write English for what is said in another language.

    The weights do not say so; of models with names of one's own it is assumed.
    """
    return multilingual and not any(part in model_name for part in _UNABLE_TO_TRANSLATE)


def _hypothesis(piece: Piece, attempt: Attempt, words: tuple[Word, ...]) -> Hypothesis:
    return Hypothesis(
        text=attempt.text,
        words=words,
        timing=Timing.ALIGNED if words else Timing.NONE,
        language=attempt.language,
        language_confidence=dict(piece.detected).get(attempt.language),
        average_logprob=attempt.average_logprob,
        no_speech_probability=attempt.no_speech_probability,
        compression_ratio=compression_ratio(attempt.text) if attempt.text else None,
    )

"""FunASR's models: streaming Paraformer for partials; SenseVoice and Paraformer, with punctuation, for finals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from asr_service.domain.ports.model_store import ModelUnsuitable
from asr_service.domain.ports.recognizer import RecognitionRequest, RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.audio_metadata import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing
from asr_service.infrastructure.asr.engine import EngineFailure, Outcome
from asr_service.infrastructure.asr.funasr.hearing import Heard, Hearing, Traits, Utterance
from asr_service.infrastructure.asr.funasr.loading import LoadedModel, load_model
from asr_service.infrastructure.asr.funasr.offline import OfflineHearing, ParaformerDialect, SenseVoiceDialect
from asr_service.infrastructure.asr.funasr.punctuation import CtPunctuation
from asr_service.infrastructure.asr.funasr.streaming import ChunkPlan, StreamingHearing, StreamingParaformer
from asr_service.infrastructure.asr.funasr.timed_words import timed_words
from asr_service.infrastructure.asr.whisper.silence import frame_levels_dbfs, is_inaudible

ENGINE: Final = "funasr"
MAX_SECONDS: Final = 30.0  # FunASR's own default for the longest segment (max_single_segment_time of its VAD)
_SHORTEST_SAMPLES: Final = SAMPLE_RATE_HZ * 25 // 1_000  # one frame of the frontends
_FULL_SCALE: Final = np.float32(1 / 32_768)

_HEARINGS: Final[Mapping[str, Callable[[LoadedModel, ChunkPlan], Hearing]]] = {
    "ParaformerStreaming": lambda model, plan: StreamingHearing(StreamingParaformer(model, plan)),
    "Paraformer": lambda model, _: OfflineHearing(model, ParaformerDialect(model)),
    "BiCifParaformer": lambda model, _: OfflineHearing(model, ParaformerDialect(model, word_times=True)),
    "ContextualParaformer": lambda model, _: OfflineHearing(model, ParaformerDialect(model, hotwords=True)),
    "SeacoParaformer": lambda model, _: OfflineHearing(model, ParaformerDialect(model, word_times=True, hotwords=True)),
    "SenseVoiceSmall": lambda model, _: OfflineHearing(model, SenseVoiceDialect()),
}
"""Of FunASR's architectures those that this engine knows, a line each. Plain Paraformer times its words by the peaks of a
predictor that was not trained for it; such times are not told."""


@dataclass(frozen=True, slots=True)
class FunAsrEngineFactory:
    """Loads a model of FunASR's; picklable.

    Attributes:
        model_directory: As ModelScope or Hugging Face have it, with ``config.yaml`` and ``model.pt``. Nothing is fetched.
        model_name: As it is called in the catalogue, for example ``paraformer-zh``.
        punctuation_directory: A CT-Transformer, for finals that their model leaves without punctuation; ``None``: they stay so.
        device: ``cpu`` or ``cuda``.
        device_index: Which of several GPUs, from 0.
        threads: CPU threads of one call.
        plan: How a streaming model goes through the audio.
    """

    model_directory: Path
    model_name: str
    punctuation_directory: Path | None = None
    device: str = "cpu"
    device_index: int = 0
    threads: int = 1
    plan: ChunkPlan = field(default_factory=ChunkPlan)

    def __call__(self) -> "FunAsrEngine":
        model = self._load(self.model_directory)
        if model.architecture not in _HEARINGS:
            raise ModelUnsuitable(
                f"{self.model_name} is a {model.architecture}, which the engine funasr does not know.",
                hint=f"It knows {', '.join(_HEARINGS)}.",
            )
        punctuation = None
        if self.punctuation_directory is not None:
            punctuation = CtPunctuation(self._load(self.punctuation_directory))
        return FunAsrEngine(self.model_name, _HEARINGS[model.architecture](model, self.plan), punctuation)

    def _load(self, directory: Path) -> LoadedModel:
        return load_model(directory, device=self.device, device_index=self.device_index, threads=self.threads)


class FunAsrEngine:
    """Turns batches of requests into hypotheses with one model of FunASR's.

    Args:
        model_name: As it is called in the catalogue.
        hearing: The model.
        punctuation: For finals that it leaves without.
    """

    def __init__(self, model_name: str, hearing: Hearing, punctuation: CtPunctuation | None = None) -> None:
        self._hearing = hearing
        self._punctuation = punctuation
        self._capabilities = funasr_capabilities(
            model_name, hearing.traits, restores_punctuation=punctuation is not None
        )

    @property
    def capabilities(self) -> RecognizerCapabilities:
        return self._capabilities

    def recognize(self, batch: Sequence[RecognitionRequest]) -> list[Outcome]:
        """Recognizes all requests at once; see :class:`asr_service.infrastructure.asr.engine.Engine`."""
        prepared = [self._prepare(request) for request in batch]
        utterances = [utterance for utterance in prepared if isinstance(utterance, Utterance)]
        heard = iter(self._hearing.hear(utterances) if utterances else ())
        return [self._hypothesis(item, next(heard)) if isinstance(item, Utterance) else item for item in prepared]

    def _prepare(self, request: RecognitionRequest) -> Utterance | Outcome:
        language, model = request.options.language, self._capabilities.model
        if language is not None and language not in self._capabilities.languages:
            return EngineFailure(f"The model {model} does not know the language {language}.")
        if request.options.task is Task.TRANSLATE:
            return EngineFailure(f"The model {model} cannot translate.")
        if len(request.pcm) % BYTES_PER_SAMPLE:
            return EngineFailure(f"The audio has {len(request.pcm)} bytes, which is no whole number of samples.")
        samples = np.frombuffer(request.pcm, dtype="<i2")
        if len(samples) > MAX_SECONDS * SAMPLE_RATE_HZ:
            seconds = len(samples) / SAMPLE_RATE_HZ
            return EngineFailure(f"The audio lasts {seconds:.1f} s; the model takes at most {MAX_SECONDS:.0f} s.")
        if len(samples) < _SHORTEST_SAMPLES or is_inaudible(frame_levels_dbfs(samples)):
            return Hypothesis(text="", language=language)
        return Utterance(request, samples * _FULL_SCALE)

    def _hypothesis(self, utterance: Utterance, heard: Heard) -> Hypothesis:
        options = utterance.request.options
        text = heard.text
        if utterance.is_final and self._punctuation is not None and not heard.punctuated:
            text = self._punctuation.punctuate(text)
        language = options.language or heard.language or self._only_language()
        times = utterance.is_final and options.word_times
        words = timed_words(text, heard.pieces, len(utterance.samples)) if times else ()
        return Hypothesis(
            text=text,
            words=words,
            timing=Timing.ALIGNED if words else Timing.NONE,
            language=language,
        )

    def _only_language(self) -> str | None:
        """The language of a model of one; ``None`` if it has several, and has not said which."""
        languages = self._capabilities.languages
        return next(iter(languages)) if len(languages) == 1 else None


def funasr_capabilities(
    model_name: str, traits: Traits, *, restores_punctuation: bool = False
) -> RecognizerCapabilities:
    """What a model with these traits can do, with a model beside it that restores punctuation, or without."""
    return RecognizerCapabilities(
        engine=ENGINE,
        model=model_name,
        languages=traits.languages,
        word_times=traits.word_times,
        hotwords=traits.hotwords,
        prompt=False,
        spoken_numbers=traits.spoken_numbers,
        translation=False,
        max_seconds=MAX_SECONDS,
        punctuation=traits.punctuated or restores_punctuation,
        casing=traits.cased,
        streaming=traits.streaming,
        chunking=traits.streaming,
    )

"""Models of many kinds on sherpa-onnx and ONNX Runtime, offline and streaming; of the extra ``sherpa``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_service.domain.ports.model_store import ModelUnsuitable
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.infrastructure.asr.engine import Engine, needs_extra
from asr_service.infrastructure.asr.sherpa.architectures import Architecture, architecture_of
from asr_service.infrastructure.asr.sherpa.model_files import find_part, token_table
from asr_service.infrastructure.asr.sherpa.offline_engine import OfflineSherpaEngine
from asr_service.infrastructure.asr.sherpa.online_engine import OnlineSherpaEngine
from asr_service.infrastructure.asr.stream_cache import StreamCache

_ENGINE = "sherpa-onnx"


@dataclass(frozen=True, slots=True)
class SherpaOnnxEngineFactory:
    """Loads a model of one of the ``ARCHITECTURES``; picklable.

    Attributes:
        model_directory: With the files as sherpa-onnx's own releases name them.
        model_name: As it is called in the catalogue.
        architecture: Name of the architecture.
        languages: Codes that the model knows; empty: those that every model of the architecture knows.
        device: ``cpu`` or ``cuda``; for the latter sherpa-onnx has packages of its own.
        quantized: Whether a part that is there in two precisions is taken as int8.
        threads: CPU threads of one call.
        beam_size: Width of the search where there is a choice; 1 is greedy, and then hotwords have no effect.
        max_streams: Most utterances whose stream is kept from partial to partial.
        max_stream_bytes: The same in memory, roughly.
    """

    model_directory: Path
    model_name: str
    architecture: str
    languages: frozenset[str] = frozenset()
    device: str = "cpu"
    quantized: bool = True
    threads: int = 1
    beam_size: int = 5
    max_streams: int = 256
    max_stream_bytes: int = 1 << 30

    def __call__(self) -> Engine:
        """The engine.

        Raises:
            EngineNotInstalled: sherpa-onnx is not there.
            ModelUnsuitable: The architecture is unknown, the languages are, or the folder has other files.
            ModelCorrupt: The pieces of the text cannot be read.
        """
        architecture = architecture_of(self.architecture)
        capabilities = self.capabilities
        with needs_extra("sherpa"):
            import sherpa_onnx  # noqa: PLC0415 - of an extra
        if architecture.streaming:
            streams: StreamCache[Any] = StreamCache(self.max_streams, self.max_stream_bytes)
            return OnlineSherpaEngine(self._load(sherpa_onnx.OnlineRecognizer, architecture), capabilities, streams)
        recognizer = self._load(sherpa_onnx.OfflineRecognizer, architecture)
        return OfflineSherpaEngine(recognizer, capabilities, architecture.min_samples)

    @property
    def capabilities(self) -> RecognizerCapabilities:
        """What the engine will be able to do; nothing is loaded for it.

        Raises:
            ModelUnsuitable: The architecture is unknown, or the languages are.
        """
        architecture = architecture_of(self.architecture)
        languages = self.languages or architecture.languages
        if not languages:
            raise ModelUnsuitable(
                f"Nobody says which languages {self.model_name} knows.",
                hint="Set recognizer.languages, for example to en.",
            )
        return RecognizerCapabilities(
            engine=_ENGINE,
            model=self.model_name,
            languages=languages,
            word_times=architecture.word_times,
            hotwords=self._searches_wide(architecture),
            prompt=False,
            spoken_numbers=False,
            translation=False,
            max_seconds=architecture.max_seconds,
            punctuation=architecture.written,
            casing=architecture.written,
            streaming=architecture.streaming,
        )

    def _searches_wide(self, architecture: Architecture) -> bool:
        return architecture.beam and self.beam_size > 1

    def _load(self, recognizer: Any, architecture: Architecture) -> Any:
        directory = self.model_directory
        parts = {
            name: str(find_part(directory, pattern, quantized=self.quantized))
            for name, pattern in architecture.parts.items()
        }
        with token_table(directory, architecture.tokens) as tokens:
            load = getattr(recognizer, architecture.loader)
            return load(**parts, tokens=str(tokens), num_threads=self.threads, **self._options(architecture))

    def _options(self, architecture: Architecture) -> dict[str, object]:
        options: dict[str, object] = {"provider": self.device, **architecture.options}
        if architecture.tells_language:
            options["language"] = next(iter(self.languages)) if len(self.languages) == 1 else ""
        if self._searches_wide(architecture):
            options |= {"decoding_method": "modified_beam_search", "max_active_paths": self.beam_size}
            options |= self._modeling_unit()
        return options

    def _modeling_unit(self) -> dict[str, object]:
        """How sherpa-onnx parts hotwords into tokens: by the pieces in ``bpe.vocab``, if the folder has that."""
        vocabulary = self.model_directory / "bpe.vocab"
        if not vocabulary.exists():
            return {"modeling_unit": "cjkchar"}
        unit = "cjkchar+bpe" if {"zh", "yue"} & (self.languages or frozenset()) else "bpe"
        return {"modeling_unit": unit, "bpe_vocab": str(vocabulary)}

"""The table of engines, for the composition root: which there are, and how settings become a factory of one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from asr_service.domain.ports.model_store import ModelStore, RecognitionModel
from asr_service.domain.ports.recognizer import EngineUnknown
from asr_service.infrastructure.asr.engine import EngineFactory, needs_extra
from asr_service.infrastructure.asr.pool_sizing import Hardware
from asr_service.infrastructure.config.sections import RecognizerSettings

EngineBuilder: TypeAlias = Callable[[RecognitionModel, RecognizerSettings, Hardware, int], EngineFactory]
"""Makes the factory for a model, by the settings, on the hardware, for the GPU of that number (0 on a CPU)."""

_OF_OWN_DIRECTORIES: Final = "faster-whisper"


def _faster_whisper(
    model: RecognitionModel, wanted: RecognizerSettings, hardware: Hardware, device_index: int
) -> EngineFactory:
    with needs_extra("whisper"):
        from asr_service.infrastructure.asr.faster_whisper_adapter import (  # noqa: PLC0415 - of an extra
            FasterWhisperEngineFactory,
        )
        from asr_service.infrastructure.asr.whisper.decoding import EncoderContext  # noqa: PLC0415 - of an extra
    return FasterWhisperEngineFactory(
        model.directory,
        model.name,
        device=hardware.device,
        device_index=device_index,
        compute_type=wanted.arithmetic(hardware.device),
        threads=wanted.threads_per_worker,
        beam_size=wanted.beam_size,
        context=EncoderContext(wanted.context_floor_s, wanted.context_tail_s),
        finals_context_s=wanted.finals_context_s,
    )


ENGINES: Final[Mapping[str, EngineBuilder]] = MappingProxyType({"faster-whisper": _faster_whisper})
"""Every engine, a line each; docs/engines.md says how one is added."""


def find_model(name: str, wanted: RecognizerSettings, store: ModelStore) -> RecognitionModel:
    """The model of that name, with what the settings say of it if it is the main one.

    Raises:
        ModelUnknown, ModelMissing, ModelCorrupt, ModelUnsuitable: It is not there, or not fit for recognition.
    """
    model = store.recognition_model(name)
    if name == wanted.model:
        model = replace(
            model,
            engine=wanted.engine or model.engine,
            architecture=wanted.architecture or model.architecture,
            languages=frozenset(wanted.languages) or model.languages,
        )
    return model if model.engine else replace(model, engine=_OF_OWN_DIRECTORIES)


def engine_factories(
    model: RecognitionModel,
    wanted: RecognizerSettings,
    hardware: Hardware,
    engines: Mapping[str, EngineBuilder] = ENGINES,
) -> list[EngineFactory]:
    """Factories of the model's engine, one for each device.

    Raises:
        EngineUnknown: There is no such engine.
        EngineNotInstalled: It needs a package that is not installed, as far as that shows before it is loaded.
    """
    builder = engines.get(model.engine)
    if builder is None:
        raise EngineUnknown(
            f"{model.name} needs the engine {model.engine[:80]!r}, which is unknown.",
            hint=f"Known engines: {', '.join(sorted(engines))}.",
        )
    return [builder(model, wanted, hardware, index) for index in range(max(1, hardware.gpus))]

"""For the composition root: the table of engines, how settings become a factory of one, and what listens beside it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from asr_service.domain.ports.model_store import ModelStore, RecognitionModel
from asr_service.domain.ports.recognizer import EngineUnknown
from asr_service.infrastructure.asr.engine import EngineFactory, needs_extra
from asr_service.infrastructure.asr.funasr.loading import load_model
from asr_service.infrastructure.asr.funasr.streaming import ChunkPlan
from asr_service.infrastructure.asr.funasr_adapter import FunAsrEngineFactory
from asr_service.infrastructure.asr.pool_sizing import Hardware
from asr_service.infrastructure.asr.sherpa.diarization_process import DiarizationPlan
from asr_service.infrastructure.asr.sherpa_diarizer import SherpaSpeakerDiarizer, model_file
from asr_service.infrastructure.asr.sherpa_onnx_adapter import SherpaOnnxEngineFactory
from asr_service.infrastructure.config.sections import RecognizerSettings, VadSettings
from asr_service.infrastructure.config.speaker_settings import SpeakerSettings
from asr_service.infrastructure.vad.fsmn_detector import FsmnVoiceActivityDetector
from asr_service.infrastructure.vad.fsmn_model import FsmnModel
from asr_service.infrastructure.vad.silero_detector import SileroVoiceActivityDetector

EngineBuilder: TypeAlias = Callable[[RecognitionModel, RecognizerSettings, Hardware, int], EngineFactory]
"""Makes the factory for a model, by the settings, on the hardware, for the GPU of that number (0 on a CPU)."""

FASTER_WHISPER: Final = "faster-whisper"  # the engine of folders of which nothing is said


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


def _sherpa_onnx(
    model: RecognitionModel, wanted: RecognizerSettings, hardware: Hardware, device_index: int
) -> EngineFactory:
    return SherpaOnnxEngineFactory(
        model.directory,
        model.name,
        model.architecture,
        model.languages,
        device=hardware.device,
        quantized=wanted.arithmetic(hardware.device).startswith("int8"),
        threads=wanted.threads_per_worker,
        beam_size=wanted.beam_size,
    )


def _funasr(
    model: RecognitionModel, wanted: RecognizerSettings, hardware: Hardware, device_index: int
) -> EngineFactory:
    before, frames, after = wanted.streaming_chunk
    return FunAsrEngineFactory(
        model.directory,
        model.name,
        punctuation_directory=model.punctuation,
        device=hardware.device,
        device_index=device_index,
        threads=wanted.threads_per_worker,
        plan=ChunkPlan(before, frames, after, wanted.encoder_look_back, wanted.decoder_look_back),
    )


ENGINES: Final[Mapping[str, EngineBuilder]] = MappingProxyType(
    {
        FASTER_WHISPER: _faster_whisper,
        "sherpa-onnx": _sherpa_onnx,
        "funasr": _funasr,
    }
)
"""Every engine, a line each; docs/engines.md says how one is added."""


def find_model(name: str, wanted: RecognizerSettings, store: ModelStore) -> RecognitionModel:
    """The model of that name, with what the settings say of it if it is the main one, and with the model for punctuation.

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
    if wanted.punctuation_model:
        model = replace(model, punctuation=store.locate(wanted.punctuation_model))
    return model if model.engine else replace(model, engine=FASTER_WHISPER)


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


def open_detector(wanted: VadSettings, store: ModelStore) -> SileroVoiceActivityDetector | FsmnVoiceActivityDetector:
    """The detector of voice activity, loaded; whoever asked closes it. Takes 0.1 s for Silero, seconds for FSMN.

    Raises:
        ModelMissing, ModelCorrupt: Its model is not there, or not as it should be.
        EngineNotInstalled: It needs a package that is not installed.
        VoiceActivityUnavailable: Its model cannot be used.
    """
    directory = store.locate(wanted.model)
    if wanted.engine == "fsmn":
        model = load_model(directory, threads=wanted.threads)
        return FsmnVoiceActivityDetector(
            FsmnModel(model.network, model.settings["frontend"]), max_waiting=wanted.max_waiting
        )
    return SileroVoiceActivityDetector(
        directory / "silero_vad.onnx",
        threads=wanted.threads,
        max_batch=wanted.max_batch,
        max_waiting=wanted.max_waiting,
    )


async def open_diarizer(wanted: SpeakerSettings) -> SherpaSpeakerDiarizer | None:
    """What tells speakers apart, seen to work; ``None``: the settings name no models.

    Raises:
        ModelMissing, ModelUnsuitable: A model is not there, or not what it should be.
        EngineNotInstalled: sherpa-onnx is not installed.
    """
    if wanted.segmentation_model is None or wanted.embedding_model is None:
        return None
    plan = DiarizationPlan(
        model_file(wanted.segmentation_model, "speakers.segmentation_model"),
        model_file(wanted.embedding_model, "speakers.embedding_model"),
        num_speakers=wanted.num_speakers,
        threshold=wanted.threshold,
        threads=wanted.threads,
    )
    diarizer = SherpaSpeakerDiarizer(plan, max_seconds=wanted.max_minutes * 60)
    await diarizer.check()
    return diarizer

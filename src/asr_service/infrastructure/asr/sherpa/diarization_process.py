"""The inside of the process that tells the speakers of one recording apart, and then ends.

The audio is its standard input, a file; the answer is one JSON object on standard output.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from asr_service.domain.ports.model_store import ModelUnsuitable
from asr_service.domain.ports.speaker_diarizer import DiarizationFailed
from asr_service.domain.value_objects.audio_metadata import SAMPLE_RATE_HZ
from asr_service.infrastructure.asr.engine import needs_extra
from asr_service.shared.errors import AsrError

FULL_SCALE: Final = 32_768
LOWER_PRIORITY: Final = 10  # of nice: recordings get the time that live sessions leave
UNSUITABLE_HINT: Final = (
    "speakers.segmentation_model takes a pyannote segmentation model, speakers.embedding_model one of 3D-Speaker (CAM++), "
    "WeSpeaker or NeMo, both as sherpa-onnx's releases have them."
)


@dataclass(frozen=True, slots=True)
class DiarizationPlan:
    """What the process is to do.

    Attributes:
        segmentation: The file of the model that finds where voices change.
        embedding: The file of the model that says how a voice sounds.
        num_speakers: How many people speak; 0: nobody knows.
        threshold: Distance, 1 less the cosine, up to which two voices count as one where nobody knows how many there are.
        threads: CPU threads of either model.
    """

    segmentation: Path
    embedding: Path
    num_speakers: int = 0
    threshold: float = 0.5
    threads: int = 1

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "DiarizationPlan":
        fields = json.loads(text)
        return cls(**{**fields, "segmentation": Path(fields["segmentation"]), "embedding": Path(fields["embedding"])})


def main(plan: str) -> None:
    """Answers, and returns. What libraries print goes to standard error, where it cannot get into the answer."""
    answer_to = os.dup(1)
    os.dup2(2, 1)
    os.nice(LOWER_PRIORITY)
    answer = answer_to_plan(DiarizationPlan.from_json(plan), lambda: np.fromfile(sys.stdin.buffer, dtype="<i2"))
    with os.fdopen(answer_to, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


def answer_to_plan(plan: DiarizationPlan, read: Callable[[], NDArray[np.int16]]) -> dict[str, Any]:
    """``turns``, each with start and end in samples and a speaker; or ``error``: its code, message and hint."""
    try:
        return {"turns": find_turns(_load(plan), read())}
    except AsrError as error:
        return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def find_turns(diarization: Any, samples: NDArray[np.int16]) -> list[tuple[int, int, int]]:
    """The turns as sherpa-onnx finds them, those outside of the audio left out.

    Raises:
        DiarizationFailed: The models do not work on this audio.
    """
    parent = os.getppid()

    def end_with_parent(_done: int, _of: int) -> int:
        if os.getppid() != parent:
            os._exit(1)
        return 0

    try:
        result = diarization.process(samples.astype(np.float32) / FULL_SCALE, callback=end_with_parent)
    except RuntimeError as error:  # as ONNX Runtime's errors arrive here
        raise DiarizationFailed(f"The models for speakers failed: {error}") from error
    found, length = result.sort_by_start_time(), len(samples)
    turns = [(_position(one.start, length), _position(one.end, length), int(one.speaker)) for one in found]
    return [(start, end, speaker) for start, end, speaker in turns if start < end]


def _position(seconds: float, length: int) -> int:
    """In samples, within the audio: the last window that the models look at is filled up with silence."""
    return min(max(round(seconds * SAMPLE_RATE_HZ), 0), length)


def _load(plan: DiarizationPlan) -> Any:
    """The models, loaded. Some that are of the wrong kind end the process instead of raising.

    Raises:
        EngineNotInstalled: sherpa-onnx is not there.
        ModelUnsuitable: The files are no such models, or for audio of another rate.
    """
    with needs_extra("sherpa"):
        import sherpa_onnx  # noqa: PLC0415 - of an extra
    segmentation = sherpa_onnx.OfflineSpeakerSegmentationModelConfig(
        pyannote=sherpa_onnx.OfflineSpeakerSegmentationPyannoteModelConfig(model=str(plan.segmentation)),
        num_threads=plan.threads,
    )
    config = sherpa_onnx.OfflineSpeakerDiarizationConfig(
        segmentation=segmentation,
        embedding=sherpa_onnx.SpeakerEmbeddingExtractorConfig(model=str(plan.embedding), num_threads=plan.threads),
        clustering=sherpa_onnx.FastClusteringConfig(num_clusters=plan.num_speakers or -1, threshold=plan.threshold),
    )
    if not config.validate():
        raise ModelUnsuitable("sherpa-onnx does not take the models for speakers.", hint=UNSUITABLE_HINT)
    try:
        diarization = sherpa_onnx.OfflineSpeakerDiarization(config)
    except RuntimeError as error:
        raise ModelUnsuitable(f"The models for speakers cannot be loaded: {error}", hint=UNSUITABLE_HINT) from error
    if diarization.sample_rate != SAMPLE_RATE_HZ:
        raise ModelUnsuitable(f"The models for speakers want {diarization.sample_rate} Hz.", hint=UNSUITABLE_HINT)
    return diarization


if __name__ == "__main__":
    main(sys.argv[1])

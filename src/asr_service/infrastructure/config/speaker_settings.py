"""The section of the settings about who speaks in a recording."""

from pathlib import Path
from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from asr_service.infrastructure.config.field_kinds import Told
from asr_service.infrastructure.config.sections import Section

_ModelPath: TypeAlias = Annotated[
    Path, AfterValidator(Path.expanduser), Told(allowed="a file, or a directory with a model.onnx")
]


class SpeakerSettings(Section):
    """Who speaks in a recording; needs asr-service[sherpa], and two models that you bring."""

    segmentation_model: _ModelPath | None = Field(
        default=None,
        description="pyannote's segmentation as an ONNX model for sherpa-onnx; empty: speakers are not told apart.",
    )
    embedding_model: _ModelPath | None = Field(
        default=None,
        description="A model of voices for sherpa-onnx, such as 3D-Speaker's CAM++; both models are needed, or neither.",
    )
    num_speakers: int = Field(
        default=0, ge=0, le=100, description="How many people speak in every recording; 0: that is found out."
    )
    threshold: float = Field(
        default=0.5,
        gt=0,
        le=2,
        description="How different two voices may be and still count as one; lower finds more speakers. Without effect if "
        "num_speakers is set.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads that tell speakers apart.")
    max_minutes: int = Field(
        default=60,
        ge=1,
        le=240,  # int32 in sherpa-onnx: it compares each voice of each second with each other one
        description="Longest recording whose speakers are told apart, in minutes; memory grows with its square.",
    )

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        if (self.segmentation_model is None) != (self.embedding_model is None):
            raise ValueError("segmentation_model and embedding_model are needed both, or neither")
        return self

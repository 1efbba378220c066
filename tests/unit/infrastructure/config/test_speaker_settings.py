"""Which settings about speakers fit together."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from asr_service.infrastructure.config.speaker_settings import SpeakerSettings

MODEL = Path("/models/one.onnx")


def test_without_models_speakers_are_not_told_apart() -> None:
    assert (SpeakerSettings().segmentation_model, SpeakerSettings().embedding_model) == (None, None)


def test_both_models_are_taken_where_they_are() -> None:
    wanted = SpeakerSettings(segmentation_model=Path("~/folder"), embedding_model=MODEL)
    assert (wanted.segmentation_model, wanted.embedding_model) == (Path.home() / "folder", MODEL)


@pytest.mark.parametrize("name", ["segmentation_model", "embedding_model"])
def test_one_model_is_not_enough(name: str) -> None:
    with pytest.raises(ValidationError, match="both, or neither"):
        SpeakerSettings(**{name: MODEL})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_speakers", -1), ("threshold", 0), ("threshold", 2.1), ("threads", 0), ("max_minutes", 241)],
)
def test_numbers_have_bounds(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=name):
        SpeakerSettings(**{name: value})  # type: ignore[arg-type]

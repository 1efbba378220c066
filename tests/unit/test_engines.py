"""What is opened to tell speakers apart."""

from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import ModelMissing
from asr_service.engines import open_diarizer
from asr_service.infrastructure.asr.sherpa_diarizer import SherpaSpeakerDiarizer
from asr_service.infrastructure.config.speaker_settings import SpeakerSettings


async def test_without_models_there_is_no_diarizer() -> None:
    assert await open_diarizer(SpeakerSettings()) is None


@pytest.mark.parametrize("missing", ["segmentation_model", "embedding_model"])
async def test_a_model_that_is_not_there_is_told_at_the_start(tmp_path: Path, missing: str) -> None:
    names = ("segmentation_model", "embedding_model")
    for name in names:
        if name != missing:
            (tmp_path / name).touch()
    with pytest.raises(ModelMissing, match=missing) as refusal:
        await open_diarizer(SpeakerSettings(**{name: tmp_path / name for name in names}))
    assert f"speakers.{missing}" in (refusal.value.hint or "")


async def test_models_are_tried_before_anybody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[SherpaSpeakerDiarizer] = []

    async def check(self: SherpaSpeakerDiarizer) -> None:
        tried.append(self)

    monkeypatch.setattr(SherpaSpeakerDiarizer, "check", check)
    (tmp_path / "model.onnx").touch()
    diarizer = await open_diarizer(SpeakerSettings(segmentation_model=tmp_path, embedding_model=tmp_path))
    assert tried == [diarizer]

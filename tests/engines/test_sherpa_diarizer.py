"""Speakers told apart by sherpa-onnx itself, with tiny models; and what it does with files that are no such models."""

from pathlib import Path

import pytest

from asr_service.domain.ports.model_store import ModelUnsuitable
from asr_service.infrastructure.asr.sherpa.diarization_process import DiarizationPlan
from asr_service.infrastructure.asr.sherpa_diarizer import SherpaSpeakerDiarizer
from tests.contract.diarizer_contract import *  # noqa: F403 - the suite
from tests.contract.diarizer_contract import DiarizerCase, told
from tests.engines.tiny_speaker_models import HIGH_HZ, LOW_HZ, write_embedding, write_segmentation
from tests.fixtures.sounds import as_pcm, tone

LOW, HIGH = (as_pcm(tone(frequency_hz, 3.0)) for frequency_hz in (LOW_HZ, HIGH_HZ))


def diarizer(segmentation: Path, embedding: Path, **options: int) -> SherpaSpeakerDiarizer:
    return SherpaSpeakerDiarizer(DiarizationPlan(segmentation, embedding, **options), max_seconds=60)


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segmentation(tmp_path_factory.mktemp("segmentation"))


@pytest.fixture(scope="module")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedding(tmp_path_factory.mktemp("embedding"))


@pytest.fixture
def case(segmentation: Path, embedding: Path) -> DiarizerCase:
    return DiarizerCase(diarizer(segmentation, embedding), LOW, HIGH)


async def test_good_models_pass_the_check(segmentation: Path, embedding: Path) -> None:
    await diarizer(segmentation, embedding).check()


async def test_how_many_speak_can_be_said(segmentation: Path, embedding: Path) -> None:
    case = DiarizerCase(diarizer(segmentation, embedding, num_speakers=1), LOW, HIGH)
    assert {turn.speaker for turn in await told(case, case.dialogue)} == {0}


async def test_a_recording_of_several_windows_has_the_same_speakers_throughout(case: DiarizerCase) -> None:
    turns = await told(case, case.dialogue * 3)
    assert {turn.speaker for turn in turns} == {0, 1}
    assert turns[-1].span.end > 29 * 16_000


@pytest.mark.parametrize("missing", ["num_classes", "window_size"])
async def test_a_model_without_its_metadata_is_refused(tmp_path: Path, embedding: Path, missing: str) -> None:
    with pytest.raises(ModelUnsuitable):
        await diarizer(write_segmentation(tmp_path, **{missing: None}), embedding).check()


async def test_a_model_for_another_rate_is_refused(tmp_path: Path, embedding: Path) -> None:
    with pytest.raises(ModelUnsuitable):
        await diarizer(write_segmentation(tmp_path, sample_rate=8_000), embedding).check()


async def test_models_in_each_others_place_are_refused(segmentation: Path, embedding: Path) -> None:
    with pytest.raises(ModelUnsuitable):
        await diarizer(embedding, segmentation).check()


@pytest.mark.parametrize("content", [b"", b"no model at all" * 100])
async def test_what_is_no_model_is_refused(tmp_path: Path, embedding: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelUnsuitable):
        await diarizer(tmp_path / "model.onnx", embedding).check()

"""Names under which the loaded model may be asked for."""

import pytest

from asr_service.app.dto.model_names import ModelNotFound, check_model_name, converses, ends_by_commits


@pytest.mark.parametrize(
    "name", ["whisper-base", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15"]
)
def test_the_loaded_one_and_those_that_clients_are_set_to_are_known(name: str) -> None:
    check_model_name(name, "whisper-base")


@pytest.mark.parametrize("name", ["", "whisper-2", "gpt-4o", "gpt-realtime-whisper", "x" * 1_000])
def test_others_are_not(name: str) -> None:
    with pytest.raises(ModelNotFound) as refused:
        check_model_name(name, "whisper-base", field="model")
    assert refused.value.hint == "Use whisper-base or whisper-1."
    assert len(refused.value.message) < 120


@pytest.mark.parametrize("name", ["gpt-realtime-whisper", "gpt-live-transcribe"])
def test_realtime_clients_have_names_of_their_own(name: str) -> None:
    check_model_name(name, "whisper-base", live=True)
    assert ends_by_commits(name)
    assert not ends_by_commits("gpt-4o-transcribe")


def test_models_that_converse_are_told_from_those_that_transcribe() -> None:
    conversing = [
        "gpt-realtime",
        "gpt-realtime-mini",
        "gpt-4o-realtime-preview",
        "gpt-4o-mini-realtime-preview-2024-12-17",
    ]
    assert all(converses(name) for name in [*conversing, "gpt-realtime-2025-08-28"])
    assert not any(converses(name) for name in ["gpt-realtime-whisper", "whisper-1", "gpt-4o", ""])

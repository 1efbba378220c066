"""Names under which models may be asked for."""

import pytest

from asr_service.app.dto.model_names import DIARIZING_ALIAS, converses, ends_by_commits, named_model, not_found


@pytest.mark.parametrize("name", [None, "", "whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15"])
def test_those_that_clients_are_set_to_are_no_wish_for_one_model(name: str | None) -> None:
    assert named_model(name) is None


@pytest.mark.parametrize("name", ["whisper-base", "fast", "gpt-4o", "gpt-realtime", "gpt-realtime-whisper"])
def test_others_are(name: str) -> None:
    assert named_model(name) == name


@pytest.mark.parametrize("name", [DIARIZING_ALIAS, f"{DIARIZING_ALIAS}-2025-10-15"])
def test_that_of_the_model_that_tells_speakers_apart_counts_where_they_can_be(name: str) -> None:
    assert named_model(name, diarizing=True) is None
    assert named_model(name) == name
    assert named_model("whisper-base", diarizing=True) == "whisper-base"


def test_the_complaint_says_what_may_be_used_and_is_short() -> None:
    refused = not_found("x" * 1_000, field="model")
    assert (refused.hint, refused.field) == ("Use whisper-1, or a name of /v1/models.", "model")
    assert len(refused.message) < 120


@pytest.mark.parametrize("name", ["gpt-realtime-whisper", "gpt-live-transcribe"])
def test_realtime_clients_have_names_of_their_own(name: str) -> None:
    assert named_model(name, live=True) is None
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
    assert all(named_model(name, live=True) is None for name in conversing)
    assert not any(converses(name) for name in ["gpt-realtime-whisper", "whisper-1", "gpt-4o", ""])

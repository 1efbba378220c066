import dataclasses
from typing import Any

import pytest

from asr_service.domain.value_objects.asr_config import (
    Chunking,
    EndpointingPolicy,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
    SettingNotAllowed,
)
from asr_service.domain.value_objects.language import Script
from asr_service.shared.errors import InvalidRequest

ENDPOINTING_LIMITS = [
    ("threshold", 0.15, 0.95),
    ("silence_ms", 100, 10_000),
    ("min_speech_ms", 32, 2_000),
    ("max_utterance_ms", 2_000, 28_000),
    ("prefix_padding_ms", 0, 1_000),
]
SENTENCE_SILENCE_LIMITS = (100, 10_000)


@pytest.mark.parametrize(("field", "low", "high"), ENDPOINTING_LIMITS)
def test_an_endpointing_policy_takes_its_limits_and_nothing_beyond(field: str, low: float, high: float) -> None:
    for value in (low, high):
        assert getattr(EndpointingPolicy(**{field: value}), field) == value  # type: ignore[arg-type]
    step = 0.01 if isinstance(low, float) else 1
    for value in (low - step, high + step, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"^{field} is .*; allowed is {low}–{high}$"):
            EndpointingPolicy(**{field: value})  # type: ignore[arg-type]


def test_the_longest_utterance_leaves_room_for_padding_and_speech() -> None:
    EndpointingPolicy(max_utterance_ms=2_000, prefix_padding_ms=500, min_speech_ms=500)
    with pytest.raises(ValueError, match=r"max_utterance_ms is 2000; .* at least 2002"):
        EndpointingPolicy(max_utterance_ms=2_000, prefix_padding_ms=500, min_speech_ms=501)


def test_a_sentence_may_be_ended_by_no_longer_silence_than_anything() -> None:
    for value in SENTENCE_SILENCE_LIMITS:
        assert EndpointingPolicy(silence_ms=value, sentence_silence_ms=value).sentence_silence_ms == value
    for value in (99, 10_001):
        with pytest.raises(ValueError, match=f"^sentence_silence_ms is {value}; allowed is 100–10000$"):
            EndpointingPolicy(silence_ms=10_000, sentence_silence_ms=value)
    with pytest.raises(InvalidRequest, match="it must not exceed silence_ms, which is 500") as refused:
        EndpointingPolicy(silence_ms=500, sentence_silence_ms=501)
    assert refused.value.field == "sentence_silence_ms"


def test_a_refusal_names_the_field_to_a_client() -> None:
    with pytest.raises(InvalidRequest) as refused:
        PartialPolicy(interval_ms=1)
    assert (refused.value.field, refused.value.code) == ("interval_ms", "invalid_request")
    with pytest.raises(InvalidRequest) as refused:
        EndpointingPolicy(max_utterance_ms=2_000, min_speech_ms=2_000)
    assert refused.value.field == "max_utterance_ms"


@pytest.mark.parametrize("interval_ms", [100, 10_000])
def test_a_partial_policy_takes_its_limits(interval_ms: int) -> None:
    assert PartialPolicy(interval_ms=interval_ms).interval_ms == interval_ms


@pytest.mark.parametrize("interval_ms", [99, 10_001])
def test_a_partial_policy_takes_nothing_beyond(interval_ms: int) -> None:
    with pytest.raises(ValueError, match="interval_ms"):
        PartialPolicy(interval_ms=interval_ms)


@pytest.mark.parametrize("max_interval_ms", [99, 10_001])
def test_the_longest_interval_has_the_same_limits(max_interval_ms: int) -> None:
    with pytest.raises(ValueError, match="max_interval_ms"):
        PartialPolicy(max_interval_ms=max_interval_ms)


@pytest.mark.parametrize(
    ("load", "interval_ms"), [(-1.0, 300), (0.0, 300), (0.25, 725), (0.5, 1_150), (1.0, 2_000), (7.0, 2_000)]
)
def test_the_interval_grows_with_the_load(load: float, interval_ms: int) -> None:
    assert PartialPolicy(interval_ms=300, max_interval_ms=2_000).interval_at_ms(load) == interval_ms


@pytest.mark.parametrize("interval_ms", [2_000, 5_000])
@pytest.mark.parametrize("load", [0.0, 0.5, 1.0])
def test_an_interval_that_is_not_below_the_longest_holds_at_any_load(interval_ms: int, load: float) -> None:
    assert PartialPolicy(interval_ms=interval_ms, max_interval_ms=2_000).interval_at_ms(load) == interval_ms


def test_what_a_client_does_not_choose_has_a_value() -> None:
    config = SessionConfig()
    assert config.options == RecognitionOptions(
        language=None, hotwords=(), script=Script.SIMPLIFIED, temperature=0.0, numbers=Numbers.AS_RECOGNIZED
    )
    assert config.endpointing == EndpointingPolicy()
    assert config.partials == PartialPolicy(enabled=True)


def test_a_configuration_cannot_be_changed() -> None:
    config = SessionConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("size", [(0, 5, 0), (5, 5, 5), (0, 50, 50)])
def test_chunks_have_limits(size: tuple[int, int, int]) -> None:
    assert Chunking(size, 0, 10).size == size


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"size": (0, 4, 0)}, "chunk_size"),
        ({"size": (0, 51, 0)}, "chunk_size"),
        ({"size": (-1, 10, 0)}, "chunk_size"),
        ({"size": (11, 10, 0)}, "chunk_size"),
        ({"size": (0, 10, 11)}, "chunk_size"),
        ({"encoder_look_back": 11}, "encoder_chunk_look_back"),
        ({"decoder_look_back": -1}, "decoder_chunk_look_back"),
    ],
)
def test_chunks_beyond_them_are_refused(wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingNotAllowed) as refused:
        Chunking(**wanted)
    assert refused.value.field == field


def test_what_is_left_open_is_as_in_another() -> None:
    other = Chunking((0, 10, 5), 4, 1)
    assert Chunking().or_else(other) == other
    assert Chunking((5, 8, 5)).or_else(other) == Chunking((5, 8, 5), 4, 1)
    assert Chunking(None, 0, 0).or_else(other) == Chunking((0, 10, 5), 0, 0)

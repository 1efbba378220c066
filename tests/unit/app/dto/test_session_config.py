"""What clients may ask for, and what becomes of it."""

from typing import Any

import pytest

from asr_service.app.dto.session_config import (
    AudioFormatDto,
    EndpointingDto,
    OptionsDto,
    SessionConfigDto,
    parsed,
    supported_language,
)
from asr_service.domain.value_objects.asr_config import (
    Chunking,
    EndpointingPolicy,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
    SettingNotAllowed,
)
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.domain.value_objects.language import Script, UnsupportedLanguage
from asr_service.shared.errors import InvalidRequest
from tests.fixtures.dialogues import CAPABILITIES

DEFAULTS = SessionConfig(
    options=RecognitionOptions(language="zh", hotwords=("达摩院",), prompt="before"),
    endpointing=EndpointingPolicy(silence_ms=700),
    partials=PartialPolicy(interval_ms=900),
)


def _config(**wishes: Any) -> SessionConfig:
    return parsed(SessionConfigDto, wishes).to_domain(DEFAULTS, CAPABILITIES)


def test_who_asks_for_nothing_gets_what_the_server_is_set_to() -> None:
    assert _config() == DEFAULTS


def test_wishes_are_fulfilled() -> None:
    config = _config(
        name="demo",
        store=False,
        language="en-US",
        prompt="p",
        hotwords=[" a ", "b"],
        script="traditional",
        numbers="spoken",
        word_times=False,
        chunk_size=[5, 10, 5],
        decoder_chunk_look_back=0,
        endpointing={"threshold": 0.6, "sentence_silence_ms": 300, "on_demand": True},
        partials={"enabled": False, "max_interval_ms": 4_000},
    )
    assert config == SessionConfig(
        name="demo",
        stored=False,
        options=RecognitionOptions(
            "en",
            "p",
            ("a", "b"),
            Script.TRADITIONAL,
            word_times=False,
            numbers=Numbers.SPOKEN,
            chunking=Chunking((5, 10, 5), decoder_look_back=0),
        ),
        endpointing=EndpointingPolicy(threshold=0.6, silence_ms=700, sentence_silence_ms=300, on_demand=True),
        partials=PartialPolicy(enabled=False, interval_ms=900, max_interval_ms=4_000),
    )


@pytest.mark.parametrize(
    ("wishes", "sentence_silence_ms"),
    [
        ({}, 400),
        ({"silence_ms": 401}, 400),
        ({"silence_ms": 400}, None),  # the server's would shorten nothing
        ({"silence_ms": 300}, None),
        ({"sentence_silence_ms": 200}, 200),
        ({"sentence_silence_ms": None}, None),
        ({"silence_ms": 300, "sentence_silence_ms": 200}, 200),
    ],
)
def test_the_silence_after_a_sentence_can_be_chosen_and_switched_off(
    wishes: dict[str, int | None], sentence_silence_ms: int | None
) -> None:
    defaults = EndpointingPolicy(silence_ms=700, sentence_silence_ms=400)
    policy = parsed(EndpointingDto, wishes).to_domain(defaults)
    assert policy == EndpointingPolicy(
        silence_ms=wishes.get("silence_ms") or 700, sentence_silence_ms=sentence_silence_ms
    )


def test_null_asks_for_detection_and_leaves_everything_else() -> None:
    options = _config(language=None, prompt=None, hotwords=None, script=None, word_times=None).options
    assert options == RecognitionOptions(language=None, prompt="before", hotwords=("达摩院",))


def test_options_that_are_left_out_stay_as_they_were() -> None:
    chunking = Chunking((0, 8, 4))
    current = RecognitionOptions(language="en", prompt="p", hotwords=("a",), word_times=False, chunking=chunking)
    assert OptionsDto().to_options(current, CAPABILITIES) == current
    assert OptionsDto(hotwords=[]).to_options(current, CAPABILITIES).hotwords == ()


def test_audio_has_a_format() -> None:
    assert AudioFormatDto().to_domain() == AudioFormat()
    dto = AudioFormatDto(encoding="mulaw", sample_rate=8_000, channels=2)  # type: ignore[arg-type]
    assert dto.to_domain() == AudioFormat(AudioEncoding.MULAW, 8_000, 2)


@pytest.mark.parametrize(
    ("wishes", "field", "part"),
    [
        ({"speed": 1}, "speed", "Extra inputs are not permitted"),
        ({"hotwords": ["x" * 65]}, "hotwords.0", "at most 64 characters"),
        ({"hotwords": ["x"] * 201}, "hotwords", "at most 200 items"),
        ({"prompt": "x" * 2_001}, "prompt", "at most 2000 characters"),
        ({"name": "x" * 201}, "name", "at most 200 characters"),
        ({"script": "latin"}, "script", "'simplified', 'traditional' or 'as_recognized'"),
        ({"audio": {"encoding": "mp3"}}, "audio.encoding", "'pcm_s16le'"),
        ({"audio": {"sample_rate": 7_999}}, "audio.sample_rate", "greater than or equal to 8000"),
        ({"audio": {"channels": 0}}, "audio.channels", "greater than or equal to 1"),
        ({"audio": {"encoding": "opus", "channels": 3}}, "audio", "Opus has at most 2 channels"),
        ({"chunk_size": [5, 10]}, "chunk_size", "at least 3 items"),
        ({"chunk_size": [5, 4, 5]}, "chunk_size", "chunk_size is 4; allowed is 5–50"),
        ({"encoder_chunk_look_back": 11}, "encoder_chunk_look_back", "less than or equal to 10"),
        ({"audio": []}, "audio", "Input should be an object"),
        ({"endpointing": {"threshold": 0.1}}, "endpointing.threshold", "greater than or equal to 0.15"),
        ({"partials": {"interval_ms": 99}}, "partials.interval_ms", "greater than or equal to 100"),
        ({"partials": {"max_interval_ms": 10_001}}, "partials.max_interval_ms", "less than or equal to 10000"),
        ({"name": "\ud83d"}, "name", "unicode"),
    ],
)
def test_a_wish_that_cannot_be_is_named(wishes: dict[str, Any], field: str, part: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _config(**wishes)
    assert refused.value.field == field
    assert part in refused.value.message


@pytest.mark.parametrize(
    ("wishes", "hint"),
    [
        (
            {"partial": {}},
            "Allowed fields: language, prompt, hotwords, script, numbers, word_times, casing, mask, chunk_size, ",
        ),
        ({"partials": {"interval": 1}}, "Allowed fields: enabled, interval_ms, max_interval_ms."),
    ],
)
def test_who_slips_is_told_what_there_is(wishes: dict[str, Any], hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _config(**wishes)
    assert refused.value.hint is not None
    assert refused.value.hint.startswith(hint)


def test_what_is_no_object_is_refused_as_a_whole() -> None:
    with pytest.raises(InvalidRequest, match="Input should be an object") as refused:
        parsed(SessionConfigDto, [])
    assert refused.value.field is None


def test_values_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(SettingNotAllowed):
        _config(endpointing={"max_utterance_ms": 2_000, "min_speech_ms": 2_000})


@pytest.mark.parametrize(
    ("text", "code"), [(None, None), ("auto", None), ("", None), ("zh-Hans-CN", "zh"), ("中文", "zh")]
)
def test_languages_have_many_names(text: str | None, code: str | None) -> None:
    assert supported_language(text, CAPABILITIES) == code


def test_a_language_that_the_model_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(UnsupportedLanguage) as refused:
        supported_language("ja", CAPABILITIES)
    assert refused.value.hint == "It knows: en, zh."

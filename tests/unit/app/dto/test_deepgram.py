"""What Deepgram's clients may ask for, and how they are refused."""

from dataclasses import replace

import pytest

from asr_service.app.dto.deepgram import ListenRequest, refusal_body
from asr_service.domain.ports.recognizer import TextFeatures
from asr_service.domain.value_objects.asr_config import (
    EndpointingPolicy,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from asr_service.shared.errors import AsrError, InvalidRequest
from tests.fixtures.dialogues import CAPABILITIES, listen_request

DEFAULTS = SessionConfig(
    options=RecognitionOptions(language="zh", hotwords=("达摩院",)), endpointing=EndpointingPolicy(silence_ms=700)
)


def _config(**parameters: str) -> SessionConfig:
    return listen_request(**parameters).query().session_config(DEFAULTS, CAPABILITIES)


def _audio_format(**parameters: str) -> AudioFormat | None:
    return listen_request(**parameters).query().audio_format()


def _understood(**parameters: str) -> tuple[AudioFormat | None, SessionConfig]:
    return _audio_format(**parameters), _config(**parameters)


def test_who_asks_for_nothing_gets_finals_and_what_the_server_is_set_to() -> None:
    config = _config(model="nova-3")
    assert config.partials.enabled is False
    assert (config.options, config.endpointing) == (DEFAULTS.options, DEFAULTS.endpointing)


def test_wishes_are_fulfilled() -> None:
    parameters = {"language": "en-US", "interim_results": "true", "endpointing": "300", "punctuate": "true"}
    pairs = (*parameters.items(), ("keyterm", "a"), ("keyterm", "b c"), ("keywords", "d:2"), ("keywords", ":2"))
    config = ListenRequest(pairs, "r", "now").query().session_config(DEFAULTS, CAPABILITIES)
    assert config.options == RecognitionOptions(language="en", hotwords=("a", "b c", "d"))
    assert config.endpointing == EndpointingPolicy(silence_ms=300)
    assert config.partials == PartialPolicy()


def test_a_server_without_partials_has_none() -> None:
    defaults = SessionConfig(partials=PartialPolicy(enabled=False))
    wished = listen_request(interim_results="true").query()
    assert wished.session_config(defaults, CAPABILITIES).partials.enabled is False


@pytest.mark.parametrize(
    ("endpointing", "silence_ms"), [("true", 700), ("false", 10_000), ("10", 100), ("0", 100), ("2500", 2_500)]
)
def test_endpointing_is_milliseconds_or_whether_at_all(endpointing: str, silence_ms: int) -> None:
    assert _config(endpointing=endpointing).endpointing.silence_ms == silence_ms


@pytest.mark.parametrize("language", ["multi", "auto"])
def test_a_language_can_be_detected_against_the_servers_setting(language: str) -> None:
    assert _config(language=language).options.language is None


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, None),
        ({"sample_rate": "8000"}, None),
        (
            {"encoding": "linear16", "sample_rate": "44100", "channels": "2"},
            AudioFormat(AudioEncoding.PCM_S16LE, 44_100, 2),
        ),
        ({"encoding": "mulaw", "sample_rate": "8000"}, AudioFormat(AudioEncoding.MULAW, 8_000)),
        ({"encoding": "alaw", "sample_rate": "8000"}, AudioFormat(AudioEncoding.ALAW, 8_000)),
        ({"encoding": "flac"}, AudioFormat(AudioEncoding.CONTAINER)),
        ({"encoding": "opus", "sample_rate": "48000"}, AudioFormat(AudioEncoding.CONTAINER)),
        ({"encoding": "ogg-opus"}, AudioFormat(AudioEncoding.CONTAINER)),
    ],
)
def test_encodings(parameters: dict[str, str], expected: AudioFormat | None) -> None:
    assert _audio_format(**parameters) == expected


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"encoding": "linear16"}, "sample_rate"),
        ({"encoding": "linear32", "sample_rate": "16000"}, "encoding"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"sample_rate": "4000"}, "sample_rate"),
        ({"channels": "9"}, "channels"),
        ({"interim_results": "perhaps"}, "interim_results"),
        ({"endpointing": "soon"}, "endpointing"),
        ({"endpointing": "99999"}, "endpointing"),
        ({"utterance_end_ms": "500"}, "utterance_end_ms"),
        ({"language": "tlh"}, "language"),
        ({"keyterm": "x" * 65}, "keyterm.0"),
        ({"diarize": "true"}, "diarize"),
        ({"redact": "pci"}, "redact"),
        ({"profanity_filter": "true"}, "profanity_filter"),
        ({"callback": "http://elsewhere.example"}, "callback"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _understood(**parameters)
    assert refusal.value.field == field


def test_numbers_are_written_and_words_masked_where_that_can_be_done() -> None:
    able = replace(CAPABILITIES, text=TextFeatures(written_numbers=frozenset({"en"}), masking=True))
    query = ListenRequest((("numerals", "true"), ("profanity_filter", "true")), "r", "now").query()
    options = query.session_config(SessionConfig(), able).options
    assert (options.numbers, options.mask) == (Numbers.WRITTEN, True)
    plain = _config(numerals="true", profanity_filter="false").options
    assert (plain.numbers, plain.mask) == (Numbers.AS_RECOGNIZED, None)


def test_wishes_that_are_no_wishes_are_not_refused() -> None:
    assert _config(diarize="false", multichannel="False", search="", smart_format="true", tag="x")


def test_of_a_parameter_that_stands_twice_the_last_counts() -> None:
    request = ListenRequest((("language", "tlh"), ("language", "en")), "r", "now")
    assert request.query().language == "en"


def test_a_refusal_has_the_shape_that_clients_know() -> None:
    assert refusal_body(InvalidRequest("Wrong.", hint="Leave it out."), "r") == {
        "err_code": "INVALID_REQUEST",
        "err_msg": "Wrong. Leave it out.",
        "request_id": "r",
    }
    assert refusal_body(AsrError("Broken."), "r")["err_msg"] == "Broken."

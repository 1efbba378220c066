"""What clients of vosk-server may configure, and what becomes of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from asr_service.app.api.v1.websocket.protocols.codec import ChangeOptions, Refuse, StartSession, UnsupportedOption
from asr_service.app.api.v1.websocket.protocols.vosk import VoskCodec
from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from tests.fixtures.dialogues import CAPABILITIES, event

DEFAULTS = SessionConfig(options=RecognitionOptions(language="zh", hotwords=("达摩院",)))
DEAF_TO_HOTWORDS = replace(CAPABILITIES, hotwords=False)


def _codec(config: Any = None, capabilities: RecognizerCapabilities = CAPABILITIES) -> VoskCodec:
    codec = VoskCodec(capabilities, DEFAULTS)
    if config is not None:
        codec.decode(json.dumps({"config": config}))
    return codec


def _start(config: Any = None) -> StartSession:
    start, *_ = _codec(config).decode(b"\0\0")
    assert isinstance(start, StartSession)
    return start


def test_without_a_configuration_audio_is_that_of_a_telephone() -> None:
    start = _start()
    assert start.audio_format == AudioFormat(sample_rate_hz=8_000)
    assert start.config == DEFAULTS


@pytest.mark.parametrize("rate", [16_000, 16_000.0, "16000"])
def test_the_rate_is_taken_in_any_writing(rate: object) -> None:
    assert _start({"sample_rate": rate}).audio_format.sample_rate_hz == 16_000


@pytest.mark.parametrize("rate", ["fast", 0, 7_999, 1e300, "nan", [16_000], 10**400])
def test_a_rate_that_is_none_is_complained_of_with_the_next_answer(rate: object) -> None:
    codec = VoskCodec(CAPABILITIES, DEFAULTS)
    (refused,) = codec.decode(json.dumps({"config": {"sample_rate": rate, "words": 0}}))
    assert isinstance(refused, Refuse)
    assert codec.encode_error(refused.error, fatal=False) == []
    start, _, reply = codec.decode(b"\0\0")
    assert isinstance(start, StartSession)
    assert start.audio_format.sample_rate_hz == 8_000
    assert json.loads(reply.frames[0])["code"] == "malformed_message"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("phrases", "hotwords"),
    [
        (["good morning", " hi ", "", "[unk]", "x" * 65], ("good morning", "hi")),
        ("good morning", ("good morning",)),
        ([7], ("7",)),
        ([], ()),
        (None, ("达摩院",)),
        ([f"word{number}" for number in range(300)], tuple(f"word{number}" for number in range(200))),
    ],
)
def test_phrases_are_hotwords(phrases: object, hotwords: tuple[str, ...]) -> None:
    assert _start({"phrase_list": phrases}).config.options.hotwords == hotwords


def test_where_hotwords_have_no_effect_the_client_is_not_told_but_the_log_is() -> None:
    codec = _codec(capabilities=DEAF_TO_HOTWORDS)
    (refused,) = codec.decode('{"config": {"phrase_list": ["good morning"]}}')
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, UnsupportedOption)
    assert codec.encode_error(refused.error, fatal=False) == []
    assert codec.decode('{"config": {"phrase_list": []}}') == []


def test_times_of_words_cost_an_alignment_only_if_they_are_wanted() -> None:
    assert not _start({"words": False}).config.options.word_times
    codec = _codec({"words": 0})
    codec.decode(b"\0\0")
    (changed,) = codec.decode('{"config": {"words": true, "phrase_list": ["hi"]}}')
    assert changed == ChangeOptions(RecognitionOptions(language="zh", hotwords=("hi",)))


def test_a_connection_is_over_when_its_end_is_answered() -> None:
    codec = _codec()
    codec.decode(b"\0\0")
    assert codec.reusable
    codec.decode('{"eof": 1}')
    codec.encode(event("SessionEnded", SessionConfig()))
    assert not codec.reusable


def test_an_end_that_follows_a_reset_at_once_is_answered_too() -> None:
    codec = _codec()
    codec.decode(b"\0\0")
    codec.decode('{"reset": 1}')
    codec.decode('{"eof": 1}')
    codec.encode(event("SessionEnded", SessionConfig()))
    assert codec.reusable  # the connection has to stay for the other answer
    codec.encode(event("SessionEnded", SessionConfig()))
    assert not codec.reusable

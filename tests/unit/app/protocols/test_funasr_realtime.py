"""Text commands: which are understood, and what they mean for a session."""

import json
from dataclasses import replace

import pytest

from asr_service.app.api.v1.websocket.protocols.codec import Refuse, Reply, StartSession, UnsupportedOption
from asr_service.app.api.v1.websocket.protocols.funasr import FunAsrCodec
from asr_service.app.api.v1.websocket.protocols.funasr_realtime import FunAsrRealtimeCodec, is_command
from asr_service.app.api.v1.websocket.protocols.funasr_sentences import MAX_SENTENCES
from asr_service.domain.value_objects.asr_config import RecognitionOptions, SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioFormat
from tests.fixtures.dialogues import CAPABILITIES, event

DEFAULTS = SessionConfig(options=RecognitionOptions(language="zh", hotwords=("达摩院",)))


def _codec(*commands: str) -> FunAsrRealtimeCodec:
    codec = FunAsrRealtimeCodec(CAPABILITIES, DEFAULTS)
    for command in commands:
        codec.decode(command)
    return codec


def _options(*commands: str) -> RecognitionOptions:
    """The options of a session after such commands."""
    start, _ = _codec(*commands, "START").decode(b"\0\0")
    assert isinstance(start, StartSession)
    assert start.audio_format == AudioFormat()
    return start.config.options


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("START", True),
        (" start\n", True),
        ("HOTWORDS:a", True),
        ("language : zh", True),
        ("STARTS", False),
        ("hello", False),
        ('{"mode":"2pass"}', False),
        ("", False),
    ],
)
def test_a_command_is_known_by_its_name(text: str, is_one: bool) -> None:
    assert is_command(text) is is_one
    codec = FunAsrCodec(CAPABILITIES, DEFAULTS)
    answer = codec.decode(text)
    assert (bool(answer) and isinstance(answer[0], Reply)) is is_one


def test_options_said_before_the_start_hold_for_every_stream() -> None:
    assert _options() == DEFAULTS.options
    assert _options("HOTWORDS:a b,c", "LANGUAGE:English").hotwords == ("a b", "c")
    assert _options("LANGUAGE:English").language == "en"
    assert _options("LANGUAGE:").language is None
    assert _options("HOTWORDS:").hotwords == ()
    assert _options("LANGUAGE:en", "START", "STOP").language == "en"


def test_hotwords_are_limited_and_the_answer_says_which_are_taken() -> None:
    (reply,) = _codec().decode("HOTWORDS:" + ",".join([f"word{number}" for number in range(300)] + ["x" * 65]))
    assert isinstance(reply, Reply)
    assert json.loads(reply.frames[0])["hotwords"] == [f"word{number}" for number in range(200)]


def test_hotwords_without_effect_are_refused() -> None:
    codec = FunAsrRealtimeCodec(replace(CAPABILITIES, hotwords=False), DEFAULTS)
    (refused,) = codec.decode("HOTWORDS:a")
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, UnsupportedOption)
    (cleared,) = codec.decode("HOTWORDS:")
    assert isinstance(cleared, Reply)


@pytest.mark.parametrize("pairs", ["a", "a=>", "=>b", "a=>b,c", "x=>" + "y" * 65])
def test_a_replacement_that_is_none_changes_nothing(pairs: str) -> None:
    codec = _codec("POSTPROCESS_HOTWORDS:One=>Two", "START")
    (refused,) = codec.decode(f"POSTPROCESS_HOTWORDS:{pairs}")
    assert isinstance(refused, Refuse)
    codec.decode(b"\0\0")
    (frame,) = codec.encode(event("UtteranceFinalized", DEFAULTS, utterance=0, span=[0, 100], text="One."))
    assert json.loads(frame)["sentences"][0]["text"] == "Two."


def test_a_stream_that_never_ends_repeats_its_newest_sentences_only() -> None:
    codec = _codec("START")
    codec.decode(b"\0\0")
    for number in range(MAX_SENTENCES + 5):
        final = event("UtteranceFinalized", DEFAULTS, utterance=number, span=[number, number + 1], text=str(number))
        (frame,) = codec.encode(final)
    sentences = json.loads(frame)["sentences"]
    assert (len(sentences), sentences[0]["text"]) == (MAX_SENTENCES, "5")

"""FunASR's configuration frame, in all the ways that clients write it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from asr_service.app.api.v1.websocket.protocols.codec import ChangeOptions, Refuse, StartSession, UnsupportedOption
from asr_service.app.api.v1.websocket.protocols.funasr import FunAsrCodec
from asr_service.app.api.v1.websocket.protocols.funasr_config import parse_hotwords, truth
from asr_service.domain.ports.recognizer import TextFeatures
from asr_service.domain.value_objects.asr_config import (
    RECORDING_ENDPOINTING,
    Chunking,
    Numbers,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from tests.fixtures.dialogues import CAPABILITIES

DEFAULTS = SessionConfig(options=RecognitionOptions(language="zh", hotwords=("达摩院",)))


def _start(message: dict[str, Any], defaults: SessionConfig = DEFAULTS) -> StartSession:
    """What a session is told that follows such a frame."""
    codec = FunAsrCodec(CAPABILITIES, defaults)
    codec.decode(json.dumps(message))
    start, _ = codec.decode(b"\0\0")
    assert isinstance(start, StartSession)
    return start


def test_without_a_configuration_the_defaults_hold() -> None:
    start = _start({})
    assert start.config == SessionConfig(name="wav-default-id", options=DEFAULTS.options)
    assert start.audio_format == AudioFormat()


@pytest.mark.parametrize(
    ("wav_format", "encoding"),
    [
        ("pcm", AudioEncoding.PCM_S16LE),
        ("PCM", AudioEncoding.PCM_S16LE),  # html5
        ("wav", AudioEncoding.PCM_S16LE),  # whether a header comes along is seen by the decoder
        ("", AudioEncoding.PCM_S16LE),
        (None, AudioEncoding.PCM_S16LE),
        ("mp3", AudioEncoding.CONTAINER),
        ("others", AudioEncoding.CONTAINER),
        (7, AudioEncoding.CONTAINER),
    ],
)
def test_whatever_is_not_pcm_is_a_container(wav_format: object, encoding: AudioEncoding) -> None:
    assert _start({"wav_format": wav_format}).audio_format.encoding is encoding


@pytest.mark.parametrize("audio_fs", [8_000, 8_000.0, "8000", "8000.0", " 8000 "])
def test_a_rate_may_be_written_as_a_float_or_a_text(audio_fs: object) -> None:
    assert _start({"audio_fs": audio_fs}).audio_format.sample_rate_hz == 8_000


@pytest.mark.parametrize("audio_fs", [0, -16_000, 7_999, 192_001, "fast", True, [16_000], {}, 1e300])
def test_a_rate_that_is_none_leaves_the_default(audio_fs: object) -> None:
    assert _start({"audio_fs": audio_fs, "mode": "online"}).audio_format.sample_rate_hz == 16_000


@pytest.mark.parametrize(
    ("chunk_size", "interval_ms"),
    [
        ([5, 10, 5], 600),
        ([8, 8.0, 4], 480),
        ("5,10,5", 600),
        ("[5, 10, 5]", 600),
        (["5", "10"], 600),
        ([0, 1, 0], 300),  # no more than three times a second
        ([0, -10, 0], 300),
        ([0, 10**12, 0], 2_000),
        ([0, 1e300, 0], 2_000),
        ([5], 300),
        ([5, "many", 5], 300),
        ([5, None, 5], 300),
        (10, 300),
        ("", 300),
        ({}, 300),
    ],
)
def test_the_chunk_size_sets_the_interval_of_partials_or_nothing(chunk_size: object, interval_ms: int) -> None:
    assert _start({"chunk_size": chunk_size}).config.partials == PartialPolicy(interval_ms=interval_ms)


STREAMING = replace(CAPABILITIES, chunking=True)


def _chunking(message: dict[str, Any], *, refused: int = 0) -> Chunking:
    """How the model goes through the audio after such a frame, of which so much is refused."""
    defaults = SessionConfig(options=RecognitionOptions(chunking=Chunking((0, 10, 5), 4, 1)))
    codec = FunAsrCodec(STREAMING, defaults)
    refusals = codec.decode(json.dumps(message))
    assert len(refusals) == refused
    for refusal in refusals:
        assert isinstance(refusal, Refuse)
        assert isinstance(refusal.error, UnsupportedOption)
        assert codec.encode_error(refusal.error, fatal=False) == []  # as of hotwords, only the log is told
    start, _ = codec.decode(b"\0\0")
    assert isinstance(start, StartSession)
    return start.config.options.chunking


@pytest.mark.parametrize(
    ("message", "chunking"),
    [
        ({"chunk_size": [5, 10, 5]}, Chunking((5, 10, 5), 4, 1)),
        ({"chunk_size": "8,8.0,4"}, Chunking((8, 8, 4), 4, 1)),
        ({"encoder_chunk_look_back": 0, "decoder_chunk_look_back": "2"}, Chunking((0, 10, 5), 0, 2)),
        ({"chunk_size": [5, 10]}, Chunking((0, 10, 5), 4, 1)),
        ({"chunk_size": [5, 10, 5, 5]}, Chunking((0, 10, 5), 4, 1)),
        ({"chunk_size": [5, "many", 5]}, Chunking((0, 10, 5), 4, 1)),
        ({"chunk_size": 10, "encoder_chunk_look_back": [4]}, Chunking((0, 10, 5), 4, 1)),
    ],
)
def test_a_streaming_model_takes_the_chunks_of_the_client(message: dict[str, Any], chunking: Chunking) -> None:
    assert _chunking(message) == chunking


@pytest.mark.parametrize(
    "message",
    [
        {"chunk_size": [5, 4, 5]},
        {"chunk_size": [0, 51, 0]},
        {"chunk_size": [11, 10, 5]},
        {"chunk_size": [5, 10, -1]},
        {"encoder_chunk_look_back": -1},
        {"decoder_chunk_look_back": 1e300},
    ],
)
def test_chunks_that_are_not_allowed_leave_the_servers(message: dict[str, Any]) -> None:
    assert _chunking(message, refused=1) == Chunking((0, 10, 5), 4, 1)


def test_of_a_model_without_chunks_none_are_asked() -> None:
    message = {"chunk_size": [5, 1, 5], "encoder_chunk_look_back": 99, "decoder_chunk_look_back": 0}
    assert FunAsrCodec(CAPABILITIES, DEFAULTS).decode(json.dumps(message)) == []
    assert _start(message).config.options.chunking == Chunking()


@pytest.mark.parametrize(
    ("mode", "partials", "recording"),
    [
        ("2pass", True, False),
        ("online", True, False),
        (" OFFLINE ", False, True),
        ("office", True, False),
        (3, True, False),
    ],
)
def test_mode_offline_is_a_recording_without_partials(mode: object, partials: bool, recording: bool) -> None:
    config = _start({"mode": mode}).config
    assert config.partials.enabled is partials
    assert (config.endpointing == RECORDING_ENDPOINTING) is recording
    assert config.live is not recording


def test_the_server_says_how_far_the_load_may_stretch_the_interval() -> None:
    defaults = SessionConfig(partials=PartialPolicy(interval_ms=300, max_interval_ms=5_000))
    partials = _start({"chunk_size": [5, 10, 5]}, defaults).config.partials
    assert partials == PartialPolicy(interval_ms=600, max_interval_ms=5_000)


def test_partials_that_the_server_switched_off_stay_off() -> None:
    defaults = SessionConfig(partials=PartialPolicy(enabled=False, interval_ms=700))
    assert _start({"mode": "2pass"}, defaults).config.partials == PartialPolicy(enabled=False, interval_ms=700)


@pytest.mark.parametrize(
    ("svs_lang", "language"), [("en", "en"), ("zh", "zh"), ("auto", "zh"), ("", "zh"), ("English", "en"), ("yue", "zh")]
)
def test_a_language_is_taken_if_the_model_knows_it(svs_lang: str, language: str) -> None:
    assert _start({"svs_lang": svs_lang}).config.options.language == language


def test_a_name_is_cut_where_it_is_too_long() -> None:
    assert _start({"wav_name": "n" * 1_000}).config.name == "n" * 200
    assert _start({"wav_name": {"a": 1}}).config.name == "{'a': 1}"


@pytest.mark.parametrize(
    ("hotwords", "words"),
    [
        ('{"阿里巴巴": 20, "通义 实验室": 30}', ("通义 实验室", "阿里巴巴")),
        ('{"a": "20", "b": "30"}', ("b", "a")),  # Java writes weights as texts
        (r'{"\u963f\u91cc": 20}', ("阿里",)),  # ASCII-escaped JSON
        ({"a": 1, "b": 2}, ("b", "a")),
        ('{"a": "heavy", "b": "inf", "c": 1, "d": -3, "e": "nan"}', ("b", "a", "e", "c", "d")),  # unreadable: 20
        ({"a": 1e4, "b": 1e5}, ("a", "b")),  # heavier than 1,000 is no heavier
        ('["a", "b"]', ("a", "b")),
        (["b", " a ", "", 7], ("b", "a", "7")),
        ("阿里巴巴 通义", ("阿里巴巴", "通义")),
        ("hello world,good bye", ("hello world", "good bye")),
        ("a，b；c;d\r\ne\tf", ("a", "b", "c", "d", "e", "f")),
        ("single", ("single",)),
        ("123", ("123",)),
        ('{"broken": ', ('{"broken":',)),
        ("", ()),
        ("  ", ()),
        (12, ()),
        ("x" * 65 + ",y", ("y",)),
        ("[" * 100_000, ()),
        (r'["\ud800"]', (r'["\ud800"]',)),
    ],
)
def test_hotwords_are_read_in_every_form(hotwords: object, words: tuple[str, ...]) -> None:
    assert parse_hotwords(hotwords) == words


def test_hotwords_are_limited_to_the_heaviest() -> None:
    words = parse_hotwords({f"word{weight}": weight for weight in range(500)})
    assert len(words) == 200
    assert words[0] == "word499"


def test_empty_hotwords_are_no_hotwords_and_null_is_the_servers() -> None:
    assert _start({"hotwords": ""}).config.options.hotwords == ()
    assert _start({"hotwords": None}).config.options.hotwords == ("达摩院",)


def test_where_hotwords_have_no_effect_the_client_is_not_told_but_the_log_is() -> None:
    codec = FunAsrCodec(replace(CAPABILITIES, hotwords=False), SessionConfig())
    (refused,) = codec.decode('{"hotwords": "魔搭"}')
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, UnsupportedOption)
    assert codec.encode_error(refused.error, fatal=False) == []
    assert codec.decode('{"hotwords": ""}') == codec.decode('{"mode": "2pass"}') == []


def test_what_changes_on_the_way_is_told_to_the_session() -> None:
    codec = FunAsrCodec(CAPABILITIES, DEFAULTS)
    codec.decode(b"\0\0")
    (change,) = codec.decode(json.dumps({"hotwords": "魔搭", "svs_lang": "en", "mode": "offline"}))
    assert change == ChangeOptions(RecognitionOptions(language="en", hotwords=("魔搭",)))


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, True),
        (False, False),
        ("true", True),
        (" False ", False),
        ("1", True),
        (0, False),
        (1.0, True),
        ("yes", None),
        (None, None),
        ([], None),
    ],
)
def test_booleans_may_be_written_as_texts_and_numbers(value: object, meant: bool | None) -> None:
    assert truth(value) is meant


@pytest.mark.parametrize(
    ("itn", "numbers"),
    [
        (False, Numbers.SPOKEN),
        ("false", Numbers.SPOKEN),
        (0, Numbers.SPOKEN),
        (True, Numbers.AS_RECOGNIZED),
        ("1", Numbers.AS_RECOGNIZED),
        (None, Numbers.SPOKEN),
        ("perhaps", Numbers.SPOKEN),
        ([], Numbers.SPOKEN),
    ],
)
def test_numbers_stay_as_they_are_spoken_without_inverse_text_normalization(itn: object, numbers: Numbers) -> None:
    server = SessionConfig(options=RecognitionOptions(numbers=Numbers.SPOKEN))
    assert _start({"itn": itn}, server).config.options.numbers is numbers


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ({"svs_itn": False}, Numbers.SPOKEN),
        ({"itn": True, "svs_itn": False}, Numbers.SPOKEN),
        ({"itn": False, "svs_itn": True}, Numbers.SPOKEN),
        ({"itn": True, "svs_itn": True}, Numbers.AS_RECOGNIZED),
        ({"svs_itn": "true"}, Numbers.AS_RECOGNIZED),
    ],
)
def test_two_keys_have_to_agree_on_inverse_text_normalization(said: dict[str, object], numbers: Numbers) -> None:
    assert _start(said).config.options.numbers is numbers


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ({"itn": True}, Numbers.WRITTEN),
        ({"itn": "1", "svs_itn": True}, Numbers.WRITTEN),
        ({"itn": True, "svs_itn": False}, Numbers.SPOKEN),
        ({"itn": False}, Numbers.SPOKEN),
        ({}, Numbers.AS_RECOGNIZED),
    ],
)
def test_numbers_are_written_in_digits_where_that_can_be_done(said: dict[str, object], numbers: Numbers) -> None:
    writing = replace(CAPABILITIES, text=TextFeatures(written_numbers=frozenset({"zh"})))
    codec = FunAsrCodec(writing, DEFAULTS)
    codec.decode(json.dumps(said | {"mode": "2pass"}))
    start = codec.decode(b"\0\0")[0]
    assert isinstance(start, StartSession)
    assert start.config.options.numbers is numbers


def test_the_end_of_inverse_text_normalization_in_mid_exchange_counts_from_there() -> None:
    codec = FunAsrCodec(replace(CAPABILITIES, spoken_numbers=True), DEFAULTS)
    codec.decode(json.dumps({"itn": True}))
    codec.decode(b"\0\0")
    (changed,) = codec.decode(json.dumps({"itn": False}))
    assert isinstance(changed, ChangeOptions)
    assert changed.options.numbers is Numbers.SPOKEN


@pytest.mark.parametrize("key", ["itn", "svs_itn"])
def test_numbers_that_cannot_be_had_in_words_are_told_to_the_log(key: str) -> None:
    codec = FunAsrCodec(CAPABILITIES, DEFAULTS)
    (refused,) = codec.decode(json.dumps({key: False}))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, UnsupportedOption)
    assert codec.encode_error(refused.error, fatal=False) == []
    assert codec.decode(json.dumps({"chunk_size": [5, 10, 5]})) == []

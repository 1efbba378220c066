"""What holds for every frame that a client may send, and for every session that may be told of."""

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_service.app.api.v1.tcp.protocols.wyoming import WyomingCodec
from asr_service.app.api.v1.websocket.protocols.codec import (
    MAX_JSON_CHARACTERS,
    AudioData,
    Codec,
    CodecFactory,
    Frame,
    GiveUp,
    Refuse,
    Reply,
    StartSession,
)
from asr_service.app.api.v1.websocket.protocols.funasr import FunAsrCodec
from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.app.api.v1.websocket.protocols.openai_realtime import OpenAiRealtimeCodec, Opening
from asr_service.domain.events.recognition_events import PartialRecognized, SpeechEnded, UtteranceFinalized
from asr_service.domain.events.session_events import EndpointForced
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, SessionConfig
from asr_service.domain.value_objects.transcript import join_texts
from tests.fixtures.codecs import CODECS
from tests.fixtures.dialogues import CAPABILITIES
from tests.fixtures.event_checker import SessionEventChecker
from tests.fixtures.funasr_client import stamps_that_html5_looks_up
from tests.fixtures.session_events import Spoken, events_of, utterances
from tests.fixtures.wire_checker import check_session

RealtimeCodec = partial(OpenAiRealtimeCodec, opening=Opening("sess_1"))
ON_DEMAND = SessionConfig(endpointing=EndpointingPolicy(on_demand=True))
END = '{"is_speaking": false}'
APPEND = json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * 1_600})
COMMIT = '{"type": "input_audio_buffer.commit"}'
CLEAR = '{"type": "input_audio_buffer.clear"}'

_KEYS = (
    "type",
    "id",
    "mode",
    "wav_name",
    "wav_format",
    "audio_fs",
    "chunk_size",
    "hotwords",
    "svs_lang",
    "is_speaking",
)
_KEYS += (
    "is_finished",
    "is_end",
    "itn",
    "numbers",
    "language",
    "prompt",
    "audio",
    "endpointing",
    "partials",
    "name",
    "sample_rate",
    "config",
    "words",
    "max_alternatives",
    "phrase_list",
    "eof",
    "reset",
)
_KEYS += ("data", "rate", "width", "channels", "text", "transcript_names", "transcript_terms")
_KEYS += ("session", "event_id", "input", "transcription", "turn_detection", "format", "model", "threshold")
_WORDS = (
    "session.update",
    "transcription_session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "server_vad",
    "audio/pcmu",
    "start",
    "configure",
    "end",
    "ping",
    "online",
    "offline",
    "mp3",
    "zh",
    "fr",
    "true",
    "false",
    "16000",
    "5,10,5",
)
_WORDS += ("transcribe", "audio-start", "audio-chunk", "audio-stop", "describe", "KeepAlive", "Finalize", "CloseStream")
_any_text = st.text(st.characters(), max_size=20)  # halves of surrogate pairs included
_nasty = st.sampled_from(
    ["\ud800", "[" * 3_000, float("nan"), float("inf"), 10**4_000, -1, None, {}, [], [5, float("inf")], r'["\ud800"]']
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(_WORDS) | _any_text | _nasty,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | _any_text, inner, max_size=3),
    max_leaves=6,
)
_messages = st.dictionaries(st.sampled_from(_KEYS), _nasty | _values | st.sampled_from(_WORDS), max_size=5).map(
    json.dumps
)
_frames = st.one_of(
    _messages,
    st.sampled_from(['{"type": "start"}', '{"type": "end"}', END, '{"type": "audio-chunk"}', '{"type": "Finalize"}']),
    st.sampled_from([APPEND, COMMIT, CLEAR]),
    st.sampled_from(["START", "stop", "Commit", "HOTWORDS: a,b", "LANGUAGE:zh", "POSTPROCESS_HOTWORDS:a=>b"]),
    _values.map(lambda value: json.dumps({"type": "session.update", "session": {"audio": {"input": value}}})),
    st.text(max_size=30),
    st.binary(max_size=30),
    _values.map(json.dumps),
)


def _not_json(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def _read(frame: Frame) -> dict[str, Any]:
    """Reads a frame as strictly as a client may."""
    assert isinstance(frame, str)
    message = json.loads(frame.encode().decode(), parse_constant=_not_json)
    assert isinstance(message, dict)
    return message


@pytest.mark.parametrize("new_codec", CODECS.values(), ids=CODECS)
@given(frames=st.lists(_frames, max_size=8))
@example(frames=[r'{"type": "ping", "id": "\ud83d"}', '{"type": "ping", "id": NaN}', r'{"type": "start", "\ud83d": 1}'])
@example(frames=[json.dumps({"hotwords": "[" * 100_000})])
@example(frames=[r'{"wav_name": "\ud83d"}', END])
@example(frames=["[" * 900 + "]" * 900, '{"wav_name": ' + "[" * 980 + "]" * 980 + "}"])
@example(frames=['"' + "x" * MAX_JSON_CHARACTERS + '"'])
def test_any_frame_is_understood_or_refused_in_words_that_can_be_sent(
    new_codec: CodecFactory, frames: list[Frame]
) -> None:
    codec = new_codec(CAPABILITIES, SessionConfig())
    for frame in frames:
        for message in codec.decode(frame):
            match message:
                case Reply(answers):
                    assert [_read(answer) for answer in answers]
                case Refuse(error):
                    assert error.code
                    answers = [_read(answer) for answer in codec.encode_error(error, fatal=False)]
                    assert answers or codec.name == "vosk"  # whose configurations have no answer
                case GiveUp(error):
                    assert error.code
                    assert [_read(answer) for answer in codec.encode_error(error, fatal=True)]
                case StartSession(config):
                    assert config.options.language in (None, "en", "zh")
                    json.dumps([config.name, *config.options.hotwords], ensure_ascii=False).encode()


@pytest.mark.parametrize("new_codec", CODECS.values(), ids=CODECS)
@given(frames=st.lists(_frames, max_size=8))
def test_an_exchange_is_a_start_then_audio_then_an_end(new_codec: CodecFactory, frames: list[Frame]) -> None:
    codec = new_codec(CAPABILITIES, SessionConfig())
    said = [type(message).__name__ for frame in frames for message in codec.decode(frame)]
    running = False
    for name in said:
        if name in ("AudioData", "ChangeOptions", "ChangeEndpointing", "ForceEndpoint", "DiscardAudio", "EndInput"):
            assert running, said
            running = name != "EndInput"
        elif name == "StartSession":
            assert not running, said
            running = True


@given(spoken=utterances())
def test_sessions_are_told_to_native_clients_as_the_documentation_promises(spoken: list[Spoken]) -> None:
    codec = NativeCodec(CAPABILITIES, SessionConfig())
    check_session(_read(frame) for event in _checked(spoken) for frame in codec.encode(event))


@pytest.mark.parametrize("mode", ["2pass", "online", "offline"])
@given(spoken=utterances(), end_at=st.integers(0, 30), wants_ack=st.booleans())
def test_funasr_clients_find_their_fields_in_every_frame_and_one_closing_frame_last(
    mode: str, spoken: list[Spoken], end_at: int, wants_ack: bool
) -> None:
    messages = [message for message, _ in _funasr_dialogue(mode, spoken, end_at, wants_ack=wants_ack)]
    for message in messages:
        assert {"mode", "text", "wav_name", "is_final"} <= message.keys()
        assert isinstance(message["text"], str)
        assert isinstance(message["is_final"], bool)
        assert isinstance(message.get("timestamp", ""), str)
        assert message.get("timestamp") not in ("", "[]")
    assert [message.get("is_end", False) for message in messages] == [False] * (len(messages) - wants_ack) + [
        True
    ] * wants_ack
    results = messages[:-1] if wants_ack else messages
    assert [message["is_final"] for message in results] == [False] * (len(results) - 1) + [True]
    if mode == "offline":
        assert len(results) == 1


@given(spoken=utterances(), end_at=st.integers(0, 30))
def test_two_pass_clients_append_partials_and_replace_them_by_finals(spoken: list[Spoken], end_at: int) -> None:
    finals: list[str] = []
    partial = ""
    for message, event in _funasr_dialogue("2pass", spoken, end_at):
        if message["mode"] == "2pass-online":
            partial += message["text"]
            assert isinstance(event, PartialRecognized)
            assert partial.endswith(event.stable)  # before it stands, at most, what was said of a failed utterance
        elif message["mode"] == "2pass-offline":
            finals.append(message["text"])
            partial = ""
    assert [text for text in finals if text] == [one.final for one in spoken if one.final]


@given(spoken=utterances(failing=False), end_at=st.integers(0, 30))
def test_offline_clients_get_all_finals_at_once(spoken: list[Spoken], end_at: int) -> None:
    ((message, _),) = _funasr_dialogue("offline", spoken, end_at)
    assert message["text"] == join_texts(one.final or "" for one in spoken)


@given(spoken=utterances(failing=False, true_to_partials=True), end_at=st.integers(0, 30))
def test_online_clients_read_the_finals_by_appending_alone(spoken: list[Spoken], end_at: int) -> None:
    messages = [message for message, _ in _funasr_dialogue("online", spoken, end_at)]
    assert {message["mode"] for message in messages} == {"2pass-online"}
    expected = join_texts(one.final or "" for one in spoken)
    assert "".join(message["text"] for message in messages).replace(" ", "") == expected.replace(" ", "")


@given(spoken=utterances())
def test_each_item_of_a_realtime_client_has_one_outcome_and_deltas_that_are_appended(spoken: list[Spoken]) -> None:
    codec = RealtimeCodec(CAPABILITIES, SessionConfig())
    deltas: dict[str, str] = {}
    outcomes: dict[str, str | None] = {}
    for event in _checked(spoken):
        for message in map(_read, codec.encode(event)):
            kind, item_id = message["type"].rpartition(".")[2], message.get("item_id", "")
            assert item_id not in outcomes, "said of an item that is complete"
            if kind == "speech_started":
                deltas[item_id] = ""
            elif kind == "delta":
                deltas[item_id] += message["delta"]
                if isinstance(event, PartialRecognized):
                    assert deltas[item_id] == event.stable
            elif kind in ("completed", "failed"):
                outcomes[item_id] = message.get("transcript")
    assert list(outcomes.values()) == [one.final for one in spoken]
    for told, one in zip(deltas.values(), spoken, strict=True):
        stable = one.stable[-1] if one.stable else ""
        assert told == (one.final if one.final and one.final.startswith(stable) else stable)


@given(spoken=utterances(failing=False, true_to_partials=True), commits=st.lists(st.integers(0, 4), max_size=3))
def test_items_that_a_client_commits_have_all_texts_between_its_commits(
    spoken: list[Spoken], commits: list[int]
) -> None:
    codec = RealtimeCodec(CAPABILITIES, SessionConfig())
    ends = sorted({min(commit, len(spoken)) for commit in commits} | {len(spoken)})
    transcripts: list[str] = []
    deltas: dict[str, str] = {}
    for event in _with_commits(_checked(spoken), ends):
        for message in map(_read, codec.encode(event)):
            if message["type"].endswith(".delta"):
                deltas[message["item_id"]] = deltas.get(message["item_id"], "") + message["delta"]
            elif message["type"].endswith(".completed"):
                transcripts.append(message["transcript"])
                assert deltas.get(message["item_id"], "").replace(" ", "") == message["transcript"].replace(" ", "")
    pieces = [spoken[start:end] for start, end in pairwise([0, *ends])]
    assert transcripts == [join_texts(one.final or "" for one in piece) for piece in pieces]


def _with_commits(events: list[Any], ends: list[int]) -> list[Any]:
    """The events, and a forced endpoint after the end of each of the numbered utterances; 0: before the first."""

    def forced(end: int) -> EndpointForced:
        return EndpointForced(session_id="ses_1", at_s=0.0, position=end * 16_000, utterance=end - 1 if end else None)

    committed = [forced(0)] if 0 in ends else []
    with_commits = [replace(events[0], config=ON_DEMAND), *committed]
    for event in events[1:]:
        with_commits.append(event)
        if isinstance(event, SpeechEnded) and event.utterance + 1 in ends:
            with_commits.append(forced(event.utterance + 1))
    return with_commits


@given(spoken=utterances())
def test_html5_finds_a_stamp_for_each_piece_of_text(spoken: list[Spoken]) -> None:
    for message, _ in _funasr_dialogue("2pass", spoken, end_at=0):
        if "timestamp" in message:
            assert len(json.loads(message["timestamp"])) == stamps_that_html5_looks_up(message["text"])


@pytest.mark.parametrize("streaming", [False, True])
@given(spoken=utterances())
def test_wyoming_clients_get_the_whole_text_or_an_error(streaming: bool, spoken: list[Spoken]) -> None:
    codec = WyomingCodec(CAPABILITIES, SessionConfig(), streaming=streaming)
    messages = [_read(frame) for event in _checked(spoken) for frame in codec.encode(event)]
    told: dict[str, list[Any]] = {}
    for message in messages:
        told.setdefault(message["type"], []).append(message["data"].get("text"))
    text = join_texts(one.final or "" for one in spoken)
    assert len(told.get("error", [])) == sum(one.final is None for one in spoken)
    assert told.get("transcript", []) == ([] if "error" in told else [text])
    if streaming:
        assert "".join(told.get("transcript-chunk", [])) == text
    else:
        assert told.keys() <= {"error", "transcript"}


@given(spoken=utterances())
def test_deepgram_clients_replace_partials_by_the_final_of_the_same_utterance(spoken: list[Spoken]) -> None:
    codec = CODECS["deepgram_all_events"](CAPABILITIES, SessionConfig())
    finals: list[str] = []
    last_end = 0.0
    messages = [(_read(frame), event) for event in _checked(spoken) for frame in codec.encode(event)]
    for message, event in messages:
        if message["type"] == "Results":
            outcome = message["is_final"]
            assert outcome == isinstance(event, UtteranceFinalized)
            assert message["start"] >= last_end
            finals += [message["channel"]["alternatives"][0]["transcript"]] if outcome else []
            last_end = message["start"] + message["duration"] if outcome else last_end
    assert finals == [one.final for one in spoken if one.final is not None]
    assert [message["type"] for message, _ in messages].count("Error") == sum(one.final is None for one in spoken)
    assert messages[-1][0]["type"] == "Metadata"


def _checked(spoken: list[Spoken]) -> list[Any]:
    checker, events = SessionEventChecker(), events_of(spoken)
    for event in events:
        checker.observe(event)
    checker.finish()
    return events


def _funasr_dialogue(
    mode: str, spoken: list[Spoken], end_at: int, *, wants_ack: bool = False
) -> list[tuple[dict[str, Any], Any]]:
    """The frames with their events; the client ends its input before the event of the number, or before the last."""
    codec: Codec = FunAsrCodec(CAPABILITIES, SessionConfig())
    codec.decode(json.dumps({"mode": mode}))
    assert isinstance(codec.decode(b"\0\0")[-1], AudioData)
    events = _checked(spoken)
    frames = []
    for number, event in enumerate(events):
        if number == min(end_at, len(events) - 1):
            codec.decode(json.dumps({"is_speaking": False, "is_end": wants_ack}))
        frames += [(_read(frame), event) for frame in codec.encode(event)]
    return frames

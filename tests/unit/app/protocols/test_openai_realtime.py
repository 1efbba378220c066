"""What no dialogue shows of OpenAI's Realtime codec: how connections begin, and large frames."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from asr_service.app.api.v1.websocket.protocols.codec import (
    MAX_AUDIO_JSON_CHARACTERS,
    MAX_JSON_CHARACTERS,
    AudioData,
    ClientMessage,
    Refuse,
    StartSession,
)
from asr_service.app.api.v1.websocket.protocols.openai_realtime import OpenAiRealtimeCodec, Opening
from asr_service.app.api.v1.websocket.protocols.openai_realtime_updates import SessionUpdates
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat
from tests.fixtures.dialogues import CAPABILITIES

UPDATES = SessionUpdates(CAPABILITIES, SessionConfig())


def codec(**opening: Any) -> OpenAiRealtimeCodec:
    return OpenAiRealtimeCodec(CAPABILITIES, SessionConfig(), opening=Opening("sess_1", **opening))


def greeting(**opening: Any) -> dict[str, Any]:
    (frame,) = codec(**opening).greet()
    assert isinstance(frame, str)
    event: dict[str, Any] = json.loads(frame)
    return event


def append(audio: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})


def started(messages: list[ClientMessage]) -> StartSession:
    assert isinstance(messages[0], StartSession)
    return messages[0]


class TestBeginnings:
    @pytest.mark.parametrize(
        "model", ["scripted-1", "whisper-1", "gpt-4o-mini-transcribe-2025-12-15", "gpt-realtime-whisper"]
    )
    def test_a_model_of_transcription_in_the_address_is_the_sessions(self, model: str) -> None:
        assert greeting(model=model)["session"]["audio"]["input"]["transcription"]["model"] == model

    @pytest.mark.parametrize("model", [None, "", "gpt-realtime", "gpt-4o-realtime-preview-2025-06-03"])
    def test_without_one_or_with_one_for_conversations_it_is_the_loaded_one(self, model: str | None) -> None:
        assert greeting(model=model)["session"]["audio"]["input"]["transcription"]["model"] == "scripted-1"

    def test_one_that_has_been_found_is_the_sessions_by_the_name_that_was_used(self) -> None:
        assert greeting(model="fast")["session"]["audio"]["input"]["transcription"]["model"] == "fast"

    def test_what_a_secret_was_made_for_goes_before_the_address(self) -> None:
        bound = UPDATES.apply(UPDATES.initial(), {"turn_detection": None})
        heard = greeting(model="whisper-1", config=bound)["session"]["audio"]["input"]
        assert heard["turn_detection"] is None
        assert heard["transcription"]["model"] == "scripted-1"

    @pytest.mark.parametrize(
        ("opening", "kind"),
        [
            ({}, "session.created"),
            ({"for_transcription": True}, "session.created"),
            ({"beta": True}, "session.created"),
            ({"beta": True, "for_transcription": True}, "transcription_session.created"),
        ],
    )
    def test_the_first_event_has_the_name_that_the_client_knows(self, opening: dict[str, bool], kind: str) -> None:
        assert greeting(**opening)["type"] == kind


class TestAudio:
    def test_the_first_brings_the_session_as_it_was_configured(self) -> None:
        one = codec(
            config=UPDATES.apply(UPDATES.initial(), {"input_audio_format": "g711_ulaw", "turn_detection": None})
        )
        start = started(one.decode(append(b"\xff" * 80)))
        assert start.audio_format == AudioFormat(AudioEncoding.MULAW, 8_000)
        assert start.config.endpointing == EndpointingPolicy(on_demand=True)
        assert start.config.options.word_times is False

    def test_a_frame_may_be_as_large_as_the_audio_in_it(self) -> None:
        audio = bytes(MAX_JSON_CHARACTERS)
        assert codec().decode(append(audio))[1:] == [AudioData(audio)]

    def test_but_not_larger_than_the_largest_message(self) -> None:
        (refused,) = codec().decode(" " * (MAX_AUDIO_JSON_CHARACTERS + 1))
        assert isinstance(refused, Refuse)
        assert refused.error.code == "malformed_message"


class TestEndpointing:
    """What clients choose, as the domain knows it."""

    @staticmethod
    def policy(turn_detection: dict[str, Any] | None, **server: Any) -> EndpointingPolicy:
        settings = EndpointingPolicy(**server)
        updates = SessionUpdates(CAPABILITIES, SessionConfig(endpointing=settings))
        return updates.apply(updates.initial(), {"turn_detection": turn_detection}).endpointing(settings)

    def test_what_the_client_leaves_open_is_as_the_server_has_it(self) -> None:
        server = EndpointingPolicy(silence_ms=700, threshold=0.6, sentence_silence_ms=400, min_speech_ms=200)
        updates = SessionUpdates(CAPABILITIES, SessionConfig(endpointing=server))
        assert updates.initial().endpointing(server) == server

    def test_a_shorter_silence_leaves_nothing_for_sentences_to_shorten(self) -> None:
        shorter = self.policy({"silence_duration_ms": 300}, sentence_silence_ms=400)
        assert (shorter.silence_ms, shorter.sentence_silence_ms) == (300, None)
        longer = self.policy({"silence_duration_ms": 400}, sentence_silence_ms=400)
        assert (longer.silence_ms, longer.sentence_silence_ms) == (400, 400)

    @pytest.mark.parametrize(
        ("eagerness", "patience_ms"), [("low", 8_000), ("medium", 4_000), ("auto", 4_000), ("high", 2_000)]
    )
    def test_a_semantic_one_waits_unless_the_sentence_is_complete(self, eagerness: str, patience_ms: int) -> None:
        policy = self.policy({"type": "semantic_vad", "eagerness": eagerness})
        assert (policy.silence_ms, policy.sentence_silence_ms) == (patience_ms, 500)
        assert (
            self.policy({"type": "semantic_vad", "eagerness": eagerness}, silence_ms=9_000).sentence_silence_ms
            == patience_ms
        )

    def test_padding_leaves_room_for_a_cut(self) -> None:
        assert self.policy({"prefix_padding_ms": 1_000}, max_utterance_ms=2_000).prefix_padding_ms == 904

    def test_the_models_without_turn_detection_are_asked_for_by_clients_that_commit(self) -> None:
        model = {"transcription": {"model": "gpt-realtime-whisper"}}

        def detection(*updates: dict[str, Any]) -> Any:
            config = UPDATES.initial()
            for update in updates:
                config = UPDATES.apply(config, {"audio": {"input": update}})
            return config.turn_detection

        server_vad = {"type": "server_vad", "silence_duration_ms": 300}
        assert detection(model) is None
        assert detection({**model, "turn_detection": server_vad}) is not None
        assert detection({"turn_detection": server_vad}, model) is not None
        assert detection(model, {"turn_detection": server_vad}) is not None
        assert detection({"transcription": {"model": "whisper-1"}}) is not None

    def test_null_leaves_the_ends_to_the_client(self) -> None:
        assert self.policy(None) == EndpointingPolicy(on_demand=True)


def test_a_prompt_counts_where_the_recognizer_takes_one() -> None:
    can = SessionUpdates(replace(CAPABILITIES, prompt=True, hotwords=False), SessionConfig())
    config = can.apply(can.initial(), {"input_audio_transcription": {"prompt": "Names: Ann.", "keywords": ["Ann"]}})
    assert (config.options.prompt, config.options.hotwords) == ("Names: Ann.", ())
    assert can.apply(config, {"input_audio_transcription": {"prompt": None}}).options.prompt is None

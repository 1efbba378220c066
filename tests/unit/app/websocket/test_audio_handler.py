"""One connection from its handshake to its close code, with clients of every kind of manners."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from asr_service.app.api.v1.live import flow
from asr_service.app.api.v1.live.connection import ConnectionLimits
from asr_service.app.api.v1.live.reception import Reception
from asr_service.app.api.v1.websocket.audio_handler import AudioHandler
from asr_service.app.api.v1.websocket.protocols.codec import CodecFactory
from asr_service.app.api.v1.websocket.protocols.funasr import FunAsrCodec
from asr_service.app.api.v1.websocket.protocols.native import NativeCodec
from asr_service.app.api.v1.websocket.protocols.openai_realtime import OpenAiRealtimeCodec, Opening
from asr_service.app.api.v1.websocket.protocols.vosk import VoskCodec
from asr_service.app.services.admission import Admission
from asr_service.app.services.audio_session_service import SessionLimits
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionStarted
from asr_service.domain.ports.voice_activity import VoiceActivityUnavailable
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from tests.fakes.recognizers import FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivityStream
from tests.fixtures.live_sessions import Studio, silence, sound, utterances
from tests.fixtures.sockets import ScriptedSocket
from tests.fixtures.tidiness import everybody_waits
from tests.fixtures.wire_checker import check_session

pytestmark = pytest.mark.usefixtures("tidy")

START = {"type": "start"}
END = {"type": "end"}


class Door:
    """A handler, and everything behind it.

    Attributes:
        closes: Protocol and close code of each connection that is over.
    """

    def __init__(
        self, studio: Studio | None = None, *, limits: ConnectionLimits | None = None, max_sessions: int = 2
    ) -> None:
        self.studio = studio or Studio()
        self.admission = Admission(max_sessions, retry_after_s=5.0)
        self.closes: list[tuple[str, int]] = []
        self.reception = Reception(
            sessions=self.studio.service,
            decoder=PyAvAudioDecoder(max_file_seconds=60, max_container_bytes=1 << 20),
            recognizers=self.studio.directory,
            admission=self.admission,
            defaults=SessionConfig(),
            limits=limits or ConnectionLimits(),
            resumable=self.studio.resumable,
            on_close=lambda protocol, code: self.closes.append((protocol, code)),
        )
        self.handler = AudioHandler(self.reception)

    def serve(
        self, socket: ScriptedSocket, codec: CodecFactory = NativeCodec, model: str | None = None
    ) -> asyncio.Task[None]:
        return asyncio.create_task(self.handler.serve(socket.websocket, LOCAL_CALLER, codec, model=model))

    @asynccontextmanager
    async def connection(self, codec: CodecFactory = NativeCodec) -> AsyncIterator[ScriptedSocket]:
        """A connection that the test has to bring to its end."""
        socket = ScriptedSocket()
        serving = self.serve(socket, codec)
        yield socket
        await serving
        assert self.admission.active == 0


class TroubledDetector:
    """A detector that does something else with the first audio that it is shown."""

    def __init__(self, trouble: Callable[[], None]) -> None:
        self._trouble = trouble

    def open_stream(self, state: bytes | None = None) -> "TroubledDetector":
        return self

    def state(self) -> bytes:
        return b""

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        self._trouble()
        return await EnergyVoiceActivityStream().observe(pcm)


def _raises(error: Exception) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


def _say(socket: ScriptedSocket, audio: bytes, packet_bytes: int = 3_200) -> None:
    for start in range(0, len(audio), packet_bytes):
        socket.say(audio[start : start + packet_bytes])


# --- connections that go as they should


async def test_a_native_session_is_served_and_closed() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        _say(socket, utterances(2))
        socket.say(END)
    check_session(socket.messages)
    assert [message["text"] for message in socket.messages if message["type"] == "final"] != []
    assert socket.close_code == 1000
    assert door.closes == [("native", 1000)]


async def test_two_funasr_exchanges_are_served_on_one_connection() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        for name in ("one", "two"):
            socket.say({"mode": "offline", "wav_name": name})
            _say(socket, utterances(1))
            socket.say({"is_speaking": False, "is_end": True})
            closing = await socket.hear_until(mode="offline", wav_name=name)
            assert closing["is_final"]
            assert closing["text"].startswith("heard 0-")
            assert (await socket.hear())["is_end"]
        socket.leave()
    assert len(door.studio.publisher.of_type(SessionEnded)) == 2
    assert socket.close_code is None


async def test_a_client_may_begin_its_next_exchange_before_it_has_the_answers() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        for name in ("one", "two", "three"):
            socket.say({"mode": "offline", "wav_name": name})
            _say(socket, utterances(1))
            socket.say({"is_speaking": False})
        assert [(await socket.hear_until(is_final=True))["wav_name"] for _ in range(3)] == ["one", "two", "three"]
        socket.leave()
    assert all("heard" in message["text"] for message in socket.messages)


async def test_an_end_frame_said_twice_on_the_way_out_is_harmless() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        socket.say({"mode": "2pass"})
        _say(socket, utterances(1))
        socket.say({"is_speaking": False})
        await socket.hear_until(is_final=True)
        socket.say({"is_speaking": False})
        socket.leave()
    assert [message["is_final"] for message in socket.messages].count(True) == 1


async def test_text_commands_are_answered_in_their_turn() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        socket.say(sound(500))  # too early
        for _ in range(2):
            socket.say("START")
            _say(socket, utterances(1))
            socket.say("COMMIT")
            _say(socket, utterances(1))
            socket.say("STOP")
        finals = [await socket.hear_until(is_final=True) for _ in range(4)]
        await socket.hear_until(event="stopped")
        socket.leave()
    assert [len(final["sentences"]) for final in finals] == [1, 2, 1, 2]
    assert all(one["text"].startswith("heard") for final in finals for one in final["sentences"])
    first, second = finals[1]["sentences"]
    assert first["end"] < second["start"] < second["end"] <= finals[1]["duration_ms"]
    events = [message["event"] for message in socket.messages if "event" in message]
    assert events == ["started", "stopped", "started", "stopped"]


async def test_every_frame_of_a_vosk_client_is_answered_and_the_connection_ends_after_the_last_result() -> None:
    door = Door()
    audio = utterances(2)
    packets = [audio[start : start + 3_200] for start in range(0, len(audio), 3_200)]
    answers = []
    async with door.connection(VoskCodec) as socket:
        socket.say({"config": {"sample_rate": 16_000}})
        for packet in packets:
            socket.say(packet)
            answers.append(await socket.hear())
            await everybody_waits()
        socket.say({"reset": 1})
        rest = await socket.hear()
        socket.say({"eof": 1})
        assert await socket.hear() == {"text": ""}
    told = [answer["text"] for answer in answers if "text" in answer] + [rest["text"]]
    finals = [event.hypothesis.text for event in door.studio.publisher.of_type(UtteranceFinalized)]
    assert (len(finals), " ".join(filter(None, told))) == (2, " ".join(finals))
    assert {answer["partial"] for answer in answers if "partial" in answer} > {""}
    assert socket.close_code == 1000


async def test_a_vosk_client_that_does_not_wait_gets_every_answer() -> None:
    door = Door()
    async with door.connection(VoskCodec) as socket:
        _say(socket, utterances(1), packet_bytes=1 << 20)
        socket.say({"reset": 1})
        _say(socket, utterances(1), packet_bytes=1 << 20)
        socket.say({"eof": 1})
    first, second = [message for message in socket.messages if message.get("text")]
    assert first["result"][-1]["end"] < second["result"][0]["start"]
    assert socket.close_code == 1000


async def test_what_a_client_wants_on_the_way_reaches_its_session() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        socket.say({"type": "configure", "language": "zh"})
        _say(socket, sound(500))
        socket.say({"type": "endpoint"})
        assert (await socket.hear_until(type="speech_ended"))["forced"]
        socket.say(END)
    check_session(socket.messages)
    assert [request.options.language for request in door.studio.recognizer.requests] == ["zh"]


async def test_what_comes_for_a_session_that_has_failed_is_dropped() -> None:
    door = Door(Studio(detector=TroubledDetector(_raises(VoiceActivityUnavailable("It is closed.")))))
    async with door.connection() as socket:
        socket.say(START)
        socket.say(sound(500))
        await socket.hear_until(type="error")
        _say(socket, sound(500))
        socket.say({"type": "endpoint"})
        socket.say(END)
    assert [message["type"] for message in socket.messages] == ["started", "error"]


# --- clients that say what is not understood


async def test_what_is_no_json_is_refused_and_the_session_goes_on() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say("{")
        socket.say(b"audio before the start")
        socket.say(START)
        socket.say("[]")
        socket.say({"type": "ping", "id": 7})
        _say(socket, utterances(1))
        socket.say(END)
    check_session(socket.messages)
    assert [message["code"] for message in socket.messages if message["type"] == "error"] == [
        "malformed_message",
        "out_of_turn",
        "malformed_message",
    ]
    assert {"type": "pong", "id": 7}.items() <= next(m for m in socket.messages if m["type"] == "pong").items()
    assert socket.close_code == 1000


async def test_a_flood_of_nonsense_is_answered_as_fast_as_it_is_read() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.stop_reading()
        for _ in range(2_000):
            socket.say("nonsense")
        await everybody_waits()
        socket.read_on()
        socket.say(START)
        socket.say(END)
    assert len(socket.messages) == 2_002


async def test_audio_that_is_no_audio_closes_the_connection_and_says_why() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        socket.say(b"OggS" + bytes(100))
        _say(socket, sound(500))
        socket.say(END)
    assert [message["type"] for message in socket.messages] == ["started", "error"]
    assert {"code": "audio_not_decodable", "fatal": True}.items() <= socket.messages[-1].items()
    assert socket.close_code == 1003
    assert door.closes == [("native", 1003)]
    assert door.studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED


async def test_funasr_clients_learn_of_a_fatal_error_by_a_closing_frame() -> None:
    door = Door()
    async with door.connection(FunAsrCodec) as socket:
        socket.say({"mode": "offline", "wav_format": "mp3"})
        socket.say(b"this is no recording" * 10)
        socket.say({"is_speaking": False})
    (message,) = socket.messages
    assert {"mode": "offline", "text": "", "is_final": True, "code": "audio_not_decodable"}.items() <= message.items()
    assert socket.close_code == 1003


# --- clients that are slow, silent, or gone


async def test_a_silent_client_is_told_and_closed() -> None:
    door = Door(limits=ConnectionLimits(idle_timeout_s=0.01))
    async with door.connection() as socket:
        socket.say(START)
    assert [message["type"] for message in socket.messages] == ["started", "error"]
    assert {"code": "idle_timeout", "fatal": True}.items() <= socket.messages[-1].items()
    assert socket.close_code == 1008
    assert door.studio.publisher.of_type(SessionEnded)[0].reason is EndReason.DISCONNECTED


async def test_a_client_that_waits_for_its_answers_is_not_idle() -> None:
    door = Door(limits=ConnectionLimits(idle_timeout_s=0.01))
    door.studio.recognizer.hold()
    async with door.connection() as socket:
        socket.say(START)
        _say(socket, sound(500))
        socket.say(END)
        await door.studio.recognizer.wait_for_requests(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):  # ten times as long as it may be silent otherwise
                await socket.hear_until(type="ended")
        await door.studio.recognizer.release()
    check_session(socket.messages)
    assert socket.close_code == 1000


async def test_silence_between_two_exchanges_is_counted_again() -> None:
    door = Door(limits=ConnectionLimits(idle_timeout_s=0.01))
    async with door.connection(FunAsrCodec) as socket:
        socket.say({"mode": "offline"})
        socket.say(sound(100))
        socket.say({"is_speaking": False})
    assert [message.get("code") for message in socket.messages] == [None, "idle_timeout"]
    assert socket.close_code == 1008


def _chatty_door(limits: ConnectionLimits) -> Door:
    """Behind it a session says something with every packet, since the recognizer's text grows with the audio."""
    words = FakeRecognizer(lambda request: " ".join(["word"] * (1 + len(request.pcm) // 3_200)))
    return Door(Studio(recognizer=words, limits=SessionLimits(max_waiting_bytes=1 << 30)), limits=limits)


CHATTY_START = {"type": "start", "partials": {"interval_ms": 100}, "endpointing": {"max_utterance_ms": 28_000}}


async def test_a_slow_reader_loses_partials_and_nothing_else() -> None:
    door = _chatty_door(ConnectionLimits())
    async with door.connection() as socket:
        socket.say(CHATTY_START)
        await socket.hear_until(type="started")
        socket.stop_reading()
        for _ in range(250):
            _say(socket, sound(100))
            await everybody_waits()
        _say(socket, silence(1_000))
        socket.say(END)
        await everybody_waits()
        socket.read_on()
    kinds = [message["type"] for message in socket.messages]
    assert 100 < kinds.count("partial") < 140  # half of the outbox
    assert [kind for kind in kinds if kind not in ("partial", "safe")] == [
        "started",
        "speech_started",
        "flow",
        "speech_ended",
        "final",
        "ended",
    ]
    assert [message["state"] for message in socket.messages if message["type"] == "flow"] == ["output_waits"]
    assert [message["seq"] for message in socket.messages] == list(range(1, len(kinds) + 1))


async def test_a_client_whose_audio_waits_is_told_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "WAIT_WORTH_TELLING_S", 0.0)  # every frame waits as long
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        await socket.hear_until(type="started")
        _say(socket, silence(1_000))
        socket.say(END)
    check_session(socket.messages)
    assert [message["type"] for message in socket.messages] == ["started", "flow", "ended"]
    assert socket.messages[1]["state"] == "input_waits"
    assert socket.messages[1]["waiting_ms"] >= 0


async def test_a_slow_funasr_reader_misses_no_words() -> None:
    door = _chatty_door(ConnectionLimits())
    async with door.connection(FunAsrCodec) as socket:
        socket.say({"mode": "online", "chunk_size": "5,1,5"})
        socket.stop_reading()
        for _ in range(900):  # 300 ms is the shortest interval
            _say(socket, sound(300) if _ % 80 else silence(1_200), packet_bytes=1 << 20)
            await everybody_waits()
        socket.say({"is_speaking": False})
        await everybody_waits()
        socket.read_on()
        await socket.hear_until(is_final=True)
        socket.leave()
    words = "".join(message["text"] for message in socket.messages)
    finals = [event.hypothesis.text for event in door.studio.publisher.of_type(UtteranceFinalized)]
    assert words.split() == " ".join(finals).split()


async def test_a_reader_that_reads_nothing_is_given_up() -> None:
    door = _chatty_door(ConnectionLimits(send_timeout_s=0.02))
    async with door.connection() as socket:
        socket.say(CHATTY_START)
        await socket.hear_until(type="started")
        socket.stop_reading()
        _say(socket, utterances(2))
    assert socket.close_code is None  # not even that reaches it
    assert door.closes == [("native", 1008)]
    (ended,) = door.studio.publisher.of_type(SessionEnded)
    assert ended.reason is EndReason.DISCONNECTED


async def test_a_client_that_leaves_in_mid_utterance_costs_no_more_work() -> None:
    door = Door()
    door.studio.recognizer.hold()
    async with door.connection() as socket:
        socket.say(START)
        _say(socket, utterances(1))
        await door.studio.recognizer.wait_for_requests(1)
        socket.leave(1001)
    (ended,) = door.studio.publisher.of_type(SessionEnded)
    assert ended.reason is EndReason.DISCONNECTED
    assert len(door.studio.recognizer.withdrawn) == len(door.studio.recognizer.requests)
    assert socket.close_code is None


async def test_a_client_that_vanished_is_noticed_when_it_is_told_something() -> None:
    door = Door()
    async with door.connection() as socket:
        socket.say(START)
        await socket.hear_until(type="started")
        socket.vanish()
        _say(socket, utterances(2))
    (ended,) = door.studio.publisher.of_type(SessionEnded)
    assert ended.reason is EndReason.DISCONNECTED


async def test_a_client_that_leaves_while_the_next_exchange_waits_leaves_nothing_behind() -> None:
    door = Door()
    door.studio.recognizer.hold()
    async with door.connection(FunAsrCodec) as socket:
        socket.say({"mode": "2pass"})
        _say(socket, utterances(1))
        socket.say({"is_speaking": False})
        socket.say({"mode": "2pass"})
        _say(socket, utterances(1))  # waits for the exchange before it
        await door.studio.recognizer.wait_for_requests(1)
        await everybody_waits()
        socket.vanish()
        await door.studio.recognizer.release()
    assert len(door.studio.publisher.of_type(SessionStarted)) == len(door.studio.publisher.of_type(SessionEnded))


async def test_a_client_that_leaves_at_once_leaves_nothing_behind() -> None:
    door = Door()
    async with door.connection() as socket:
        await everybody_waits()
        socket.leave()
    assert socket.close_code is None
    assert door.studio.publisher.events == []


async def test_a_handshake_that_nobody_waits_for_is_no_crash() -> None:
    door = Door()
    socket = ScriptedSocket()
    socket.vanish()
    with pytest.raises(OSError, match="lost"):  # which the web server takes for what it is
        await door.serve(socket)
    assert door.admission.active == 0


# --- a server that is full, broken, or stopped


async def test_a_full_house_refuses_before_the_handshake() -> None:
    door = Door(max_sessions=1)
    with door.admission.admit(LOCAL_CALLER):
        socket = ScriptedSocket()
        await door.serve(socket)
    start, body = socket.sent
    assert start["type"] == "websocket.http.response.start"
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"5"
    assert json.loads(body["body"])["code"] == "overloaded"
    assert door.closes == []


@pytest.mark.parametrize(
    ("trouble", "code", "close_code"),
    [
        (RuntimeError("a defect"), "internal_error", 1011),
        (VoiceActivityUnavailable("It is closed."), "voice_activity_unavailable", 1013),
    ],
)
async def test_a_session_that_crashes_is_told_and_closed(trouble: Exception, code: str, close_code: int) -> None:
    door = Door(Studio(detector=TroubledDetector(_raises(trouble))))
    async with door.connection() as socket:
        socket.say(START)
        _say(socket, sound(500))
    assert {"code": code, "fatal": True}.items() <= socket.messages[-1].items()
    assert "defect" not in json.dumps(socket.messages)
    assert socket.close_code == close_code
    assert door.studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED


async def test_a_codec_that_crashes_closes_the_connection_as_a_fault_of_the_server() -> None:
    class BrokenCodec(NativeCodec):
        def decode(self, frame: str | bytes) -> list:
            raise ZeroDivisionError

    door = Door()
    async with door.connection(BrokenCodec) as socket:
        socket.say(START)
    assert [message["code"] for message in socket.messages] == ["internal_error"]
    assert socket.close_code == 1011


async def test_a_session_that_cannot_be_opened_is_told_and_closed() -> None:
    class NoDetector:
        def open_stream(self, state: bytes | None = None) -> EnergyVoiceActivityStream:
            raise VoiceActivityUnavailable("It is closed.")

    door = Door(Studio(detector=NoDetector()))
    async with door.connection() as socket:
        socket.say(START)
    assert [message["code"] for message in socket.messages] == ["voice_activity_unavailable"]
    assert socket.close_code == 1013


async def test_a_server_that_stops_ends_its_sessions() -> None:
    door = Door()
    door.studio.recognizer.hold()
    socket = ScriptedSocket()
    serving = door.serve(socket)
    socket.say(START)
    _say(socket, utterances(1))
    await door.studio.recognizer.wait_for_requests(1)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert len(door.studio.publisher.of_type(SessionEnded)) == 1
    assert door.admission.active == 0


async def test_a_client_that_commits_has_its_items_in_the_order_of_its_commits() -> None:
    door = Door(Studio(recognizer=FakeRecognizer(lambda request: f"{len(request.pcm)} bytes")))
    async with door.connection(partial(OpenAiRealtimeCodec, opening=Opening("sess_1"))) as socket:
        assert (await socket.hear())["type"] == "session.created"
        wanted = {"turn_detection": None, "format": {"type": "audio/pcm", "rate": 16_000}}
        socket.say({"type": "session.update", "session": {"audio": {"input": wanted}}})
        for audio in (utterances(2), silence(500), sound(600)):
            socket.say({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})
            socket.say({"type": "input_audio_buffer.commit"})
        socket.say({"type": "input_audio_buffer.append", "audio": base64.b64encode(sound(700)).decode()})
        socket.say({"type": "input_audio_buffer.clear"})
        await socket.hear_until(type="input_audio_buffer.cleared")
        while len(_completed(socket)) < 3:
            await socket.hear()
        socket.say({"type": "session.update", "session": {"turn_detection": {"type": "server_vad"}}})
        socket.say({"type": "input_audio_buffer.append", "audio": base64.b64encode(utterances(1)).decode()})
        await socket.hear_until(type="input_audio_buffer.speech_stopped")
        while len(_completed(socket)) < 4:
            await socket.hear()
        socket.leave()
    texts = [message["transcript"] for message in _completed(socket)]
    assert [bool(text) for text in texts] == [True, False, True, True]
    assert not [message for message in socket.messages if message["type"] == "error"]
    assert door.closes == [("openai_realtime", 1000)]


def _completed(socket: ScriptedSocket) -> list[dict[str, Any]]:
    return [message for message in socket.messages if message["type"].endswith(".completed")]


async def test_a_model_of_the_address_that_is_not_there_is_refused_before_the_handshake() -> None:
    door = Door()
    socket = ScriptedSocket("/v1/realtime")
    await door.serve(socket, partial(OpenAiRealtimeCodec, opening=Opening("sess_1", model="gpt-9")), model="gpt-9")
    start, body = socket.sent
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    error = json.loads(body["body"])["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert door.admission.active == 0
    assert door.closes == []


async def test_under_openais_paths_a_full_house_is_told_in_its_words() -> None:
    door = Door(max_sessions=0)
    socket = ScriptedSocket("/v1/realtime")
    await door.serve(socket, partial(OpenAiRealtimeCodec, opening=Opening("sess_1")))
    start, body = socket.sent
    assert start["status"] == 503
    assert (b"retry-after", b"5") in start["headers"]
    assert json.loads(body["body"])["error"]["type"] == "server_error"


async def test_other_connections_do_not_notice_one_that_fails() -> None:
    door = Door()
    async with door.connection() as good:
        good.say(START)
        _say(good, sound(500))
        bad = ScriptedSocket()
        serving = door.serve(bad)
        bad.say(START)
        bad.say(b"OggS" + bytes(100))
        await serving
        _say(good, silence(1_000))
        good.say(END)
    check_session(good.messages)
    assert (bad.close_code, good.close_code) == (1003, 1000)

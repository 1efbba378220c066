"""A live session: what it tells, to whom, and what is left when it is over."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.app.services.audio_session_service import LiveSession, SessionLimits
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import (
    AudioDiscarded,
    EndpointingChanged,
    SessionEnded,
    SessionEvent,
    SessionStarted,
)
from asr_service.domain.ports.audio_decoder import AudioNotDecodable
from asr_service.domain.ports.recognizer import RecognitionFailed, RecognitionKind, RecognitionRequest
from asr_service.domain.ports.voice_activity import WINDOW_BYTES, VoiceActivityUnavailable
from asr_service.domain.value_objects.asr_config import (
    EndpointingPolicy,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import AudioEncoding, AudioFormat, samples_from_ms
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import EndReason
from asr_service.infrastructure.audio.pyav_decoder import PyAvAudioDecoder
from asr_service.shared.errors import AsrError
from tests.fakes.clocks import FakeClock
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizers import Answer, FakeRecognizer
from tests.fakes.voice_activity import EnergyVoiceActivityStream
from tests.fixtures.live_sessions import Studio, silence, sound, utterances
from tests.fixtures.tidiness import everybody_waits

tidy = pytest.mark.usefixtures("tidy")
NO_PARTIALS = SessionConfig(partials=PartialPolicy(enabled=False))


class ClientVanished(AsrError):
    """Whoever listens does not listen any more."""


class WatchedDetector:
    """Hears by energy, and tells how often it was asked.

    Attributes:
        stretches: How many stretches of audio were looked at.
        then: Called after each of them.
    """

    def __init__(self, then: Callable[[int], None] = lambda _count: None) -> None:
        self.stretches = 0
        self.then = then
        self._ear = EnergyVoiceActivityStream()

    def open_stream(self, state: bytes | None = None) -> "WatchedDetector":
        return self

    def state(self) -> bytes:
        return b""

    async def observe(self, pcm: bytes) -> tuple[float, ...]:
        self.stretches += 1
        self.then(self.stretches)
        await everybody_waits()  # a real one works in another thread, so that others have their turn
        return await self._ear.observe(pcm)


def _crash(request: RecognitionRequest) -> Answer:
    raise RuntimeError("the engine has a defect")


def _finals_only(request: RecognitionRequest) -> bool:
    return request.kind is RecognitionKind.FINAL


async def _say(session: LiveSession, audio: bytes, packet_bytes: int = 3_200) -> None:
    for start in range(0, len(audio), packet_bytes):
        await session.push_audio(audio[start : start + packet_bytes])


async def _hear_out(session: LiveSession, audio: bytes, packet_bytes: int = 3_200) -> None:
    running = asyncio.create_task(session.run())
    await _say(session, audio, packet_bytes)
    await session.end_input()
    await running


# --- what is told


@tidy
async def test_speech_becomes_finals_and_everybody_is_told_the_same() -> None:
    studio = Studio(detector=WatchedDetector())
    await _hear_out(studio.open(), sound(2_000) + silence(1_000) + utterances(1))
    studio.listener.finish()
    assert studio.publisher.events == studio.listener.events
    assert len(studio.listener.of_type(UtteranceFinalized)) == 2
    assert studio.listener.of_type(PartialRecognized)
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.COMPLETED


@pytest.mark.parametrize(("load", "first_partial_ms"), [(0.0, 288), (1.0, 1_984)])
@tidy
async def test_the_load_says_how_often_partials_are_asked_for(load: float, first_partial_ms: int) -> None:
    studio = Studio(detector=WatchedDetector(), load=lambda: load)
    await _hear_out(studio.open(), sound(3_000), packet_bytes=WINDOW_BYTES)
    partials = [request for request in studio.recognizer.requests if request.kind is RecognitionKind.PARTIAL]
    assert len(partials[0].span) == samples_from_ms(first_partial_ms)


@tidy
async def test_a_recognizer_without_partials_is_asked_for_none_and_the_session_says_so() -> None:
    finals_only = FakeRecognizer(capabilities=replace(CAPABILITIES, partials=False))
    studio = Studio(detector=WatchedDetector(), recognizer=finals_only)
    await _hear_out(studio.open(), sound(3_000) + silence(1_000))
    assert {request.kind for request in finals_only.requests} == {RecognitionKind.FINAL}
    assert studio.listener.of_type(SessionStarted)[0].config.partials.enabled is False


@tidy
async def test_a_session_without_audio_begins_and_ends() -> None:
    studio = Studio()
    await _hear_out(studio.open(), b"")
    assert [type(event) for event in studio.listener.events] == [SessionStarted, SessionEnded]


@given(cuts=st.lists(st.integers(100, 40_000).map(lambda samples: 2 * samples), min_size=1, max_size=6))
def test_finals_do_not_depend_on_how_the_client_cuts_its_packets(cuts: list[int]) -> None:
    audio = utterances(2) + sound(300)

    async def finals_of(packets: list[int]) -> list[SessionEvent]:
        studio = Studio(clock=FakeClock())
        session = studio.open()
        running = asyncio.create_task(session.run())
        start = 0
        while start < len(audio):
            for packet_bytes in packets:
                await session.push_audio(audio[start : start + packet_bytes])
                start += packet_bytes
        await session.end_input()
        await running
        studio.listener.finish()
        return list(studio.listener.events)

    def told(events: list[SessionEvent]) -> dict[str, list[object]]:
        kinds = {SpeechStarted: "start", SpeechEnded: "span", UtteranceFinalized: "hypothesis", SessionEnded: "reason"}
        return {
            name: [getattr(event, name) for event in events if isinstance(event, kind)] for kind, name in kinds.items()
        }

    assert told(asyncio.run(finals_of(cuts))) == told(asyncio.run(finals_of([len(audio)])))


@tidy
async def test_other_options_hold_for_what_is_said_after_them() -> None:
    studio = Studio()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, utterances(1))
    await studio.listener.wait_for(UtteranceFinalized)
    await session.change_options(RecognitionOptions(language="zh"))
    await _say(session, utterances(1))
    await session.end_input()
    await running
    finals = [request for request in studio.recognizer.requests if request.kind is RecognitionKind.FINAL]
    assert [request.options.language for request in finals] == [None, "zh"]


@tidy
async def test_an_endpoint_on_demand_ends_the_utterance_where_it_is() -> None:
    studio = Studio()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, sound(1_000))
    await session.force_endpoint()
    (ended,) = await studio.listener.wait_for(SpeechEnded)
    assert ended.forced
    await session.end_input()
    await running
    studio.listener.finish()


@tidy
async def test_another_endpointing_holds_for_the_audio_that_is_pushed_next() -> None:
    studio = Studio()
    session = studio.open(SessionConfig(endpointing=EndpointingPolicy(on_demand=True)))
    running = asyncio.create_task(session.run())
    await _say(session, utterances(2))
    await session.change_endpointing(EndpointingPolicy())
    await _say(session, utterances(2))
    await session.end_input()
    await running
    studio.listener.finish()
    assert [ended.span.end > 40_000 for ended in studio.listener.of_type(SpeechEnded)] == [True, True]
    assert len(studio.listener.of_type(EndpointingChanged)) == 1


@tidy
async def test_audio_that_is_discarded_has_no_final() -> None:
    studio = Studio()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, sound(1_000))
    await session.discard_audio()
    await _say(session, utterances(1))
    await session.end_input()
    await running
    studio.listener.finish()
    (final,) = studio.listener.of_type(UtteranceFinalized)
    assert final.span.start >= 16_000
    assert [discarded.utterance for discarded in studio.listener.of_type(AudioDiscarded)] == [0]


@tidy
async def test_the_inputs_that_come_after_the_end_are_ignored() -> None:
    studio = Studio()
    studio.recognizer.hold()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, sound(500))
    await session.end_input()
    await session.push_audio(sound(500))
    await session.force_endpoint()
    await session.discard_audio()
    await session.change_endpointing(EndpointingPolicy(on_demand=True))
    await session.end_input()
    await studio.recognizer.wait_for_requests(1)
    await everybody_waits()
    await studio.recognizer.release()
    await running
    studio.listener.finish()
    assert studio.listener.of_type(SessionEnded)[0].received_samples == 8_000


# --- large packets and backlogs


@tidy
async def test_finals_come_while_a_large_packet_is_still_being_heard() -> None:
    studio = Studio(detector=WatchedDetector())
    await _hear_out(studio.open(), utterances(6), packet_bytes=1 << 24)
    kinds = [type(event) for event in studio.listener.events if isinstance(event, SpeechStarted | UtteranceFinalized)]
    assert kinds.index(UtteranceFinalized) < len(kinds) - 1 - kinds[::-1].index(SpeechStarted)


@tidy
async def test_no_audio_is_heard_while_too_many_finals_are_owed() -> None:
    ear = WatchedDetector()
    studio = Studio(detector=ear, limits=SessionLimits(max_owed_finals=2))
    studio.recognizer.hold()
    session = studio.open()
    running = asyncio.create_task(session.run())
    speaking = asyncio.create_task(_say(session, utterances(5)))
    await studio.listener.wait_for(SpeechEnded, 2)
    await everybody_waits()
    assert len(studio.listener.of_type(SpeechEnded)) == 2
    assert ear.stretches < 35  # of 75 packets
    await studio.recognizer.release()
    await speaking
    await session.end_input()
    await running
    studio.listener.finish()
    assert len(studio.listener.of_type(UtteranceFinalized)) == 5


def _in_two_languages(request: RecognitionRequest) -> Hypothesis:
    """Mandarin, then short answers that are taken for Japanese unless the language is known."""
    if request.options.language is not None:
        return Hypothesis("嗯", language=request.options.language)
    if request.utterance == 0:
        return Hypothesis("今天天气很好", language="zh", language_confidence=0.95)
    return Hypothesis("うん", language="ja", language_confidence=0.4)


@tidy
async def test_what_has_to_be_heard_again_is_owed_and_holds_nothing_up() -> None:
    studio = Studio(recognizer=FakeRecognizer(_in_two_languages), limits=SessionLimits(max_owed_finals=1))
    await _hear_out(studio.open(NO_PARTIALS), utterances(4))
    studio.listener.finish()
    finals = [event.hypothesis.text for event in studio.listener.of_type(UtteranceFinalized)]
    assert finals == ["今天天气很好", "嗯", "嗯", "嗯"]
    assert len(studio.recognizer.requests) == 1 + 3 * 2


@tidy
async def test_a_client_that_is_too_fast_waits_for_room() -> None:
    studio = Studio(limits=SessionLimits(max_waiting_bytes=10_000, max_owed_finals=1))
    studio.recognizer.hold()
    session = studio.open()
    running = asyncio.create_task(session.run())
    speaking = asyncio.create_task(_say(session, utterances(4)))
    await studio.listener.wait_for(SpeechEnded)
    await everybody_waits()
    assert not speaking.done()
    session.abort(EndReason.DISCONNECTED)
    await running
    await speaking  # nobody waits for the room of a session that is over
    studio.listener.finish()


@tidy
async def test_an_abort_is_heard_in_the_middle_of_a_large_packet() -> None:
    ear = WatchedDetector(then=lambda count: session.abort(EndReason.DISCONNECTED) if count == 3 else None)
    studio = Studio(detector=ear)
    session = studio.open()
    await _hear_out(session, utterances(100), packet_bytes=1 << 24)
    assert ear.stretches == 3
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.DISCONNECTED


class Tape:
    """A container: gives its blocks at the end.

    Attributes:
        played: How many blocks were asked for.
        closed: It was left, or has come to its end.
    """

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks
        self.played = 0
        self.closed = False

    async def feed(self, data: bytes) -> bytes:
        return b""

    async def flush(self) -> AsyncGenerator[bytes, None]:
        try:
            for block in self._blocks:
                self.played += 1
                yield block
        finally:
            self.closed = True


class TornTape(Tape):
    """A container that is damaged after its blocks."""

    async def flush(self) -> AsyncGenerator[bytes, None]:
        async for block in super().flush():
            yield block
        raise AudioNotDecodable("The tape is torn.")


@tidy
async def test_a_container_is_heard_block_after_block() -> None:
    tape = Tape([utterances(1)] * 3)
    played: list[int] = []
    studio = Studio(detector=WatchedDetector(then=lambda _: played.append(tape.played)))
    await _hear_out(studio.open(decoder=tape), b"a container")
    studio.listener.finish()
    assert len(studio.listener.of_type(UtteranceFinalized)) == 3
    assert sorted(set(played)) == [1, 2, 3]
    assert tape.closed


@tidy
async def test_an_abort_leaves_the_rest_of_a_container_undecoded() -> None:
    ear = WatchedDetector(then=lambda count: session.abort(EndReason.DISCONNECTED) if count == 2 else None)
    tape = Tape([utterances(1)] * 100)
    studio = Studio(detector=ear)
    session = studio.open(decoder=tape)
    await _hear_out(session, b"a container")
    assert tape.played == 2
    assert tape.closed
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.DISCONNECTED


@tidy
async def test_what_was_heard_before_damage_is_answered_before_the_error() -> None:
    studio = Studio()
    session = studio.open(decoder=TornTape([utterances(2)]))
    with pytest.raises(AudioNotDecodable, match="torn"):
        await _hear_out(session, b"a container")
    assert len(studio.listener.of_type(UtteranceFinalized)) == 2
    assert studio.listener.of_type(SessionEnded) == []  # the error is the end that the client is told
    assert studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED


# --- recognizers that fail


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (lambda _: RecognitionFailed("The engine died twice."), "recognition_failed", "The engine died twice."),
        (_crash, "internal_error", "The recognizer failed unexpectedly."),
    ],
)
@tidy
async def test_an_utterance_that_fails_is_told_and_the_session_goes_on(
    answer: Callable[[RecognitionRequest], Answer], code: str, message: str
) -> None:
    studio = Studio(recognizer=FakeRecognizer(answer))
    await _hear_out(studio.open(), utterances(2))
    studio.listener.finish()
    failures = studio.listener.of_type(UtteranceFailed)
    assert [(failure.code, failure.message) for failure in failures] == [(code, message)] * 2
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.COMPLETED


@tidy
async def test_finals_leave_in_the_order_of_the_utterances_whatever_the_order_of_the_answers() -> None:
    studio = Studio()
    first: list[str] = []

    def is_first(request: RecognitionRequest) -> bool:
        return request.utterance == 0

    studio.recognizer.hold(is_first)
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, utterances(3))
    await session.end_input()
    await studio.listener.wait_for(SpeechEnded, 3)
    await everybody_waits()
    first += [event.hypothesis.text for event in studio.listener.of_type(UtteranceFinalized)]
    await studio.recognizer.release()
    await running
    assert first == []
    assert [event.utterance for event in studio.listener.of_type(UtteranceFinalized)] == [0, 1, 2]


# --- the end


@tidy
async def test_what_is_owed_at_the_deadline_is_reported_as_failed() -> None:
    studio = Studio(limits=SessionLimits(drain_deadline_s=0.01))
    studio.recognizer.hold()
    await _hear_out(studio.open(), utterances(2))
    studio.listener.finish()
    assert [failure.code for failure in studio.listener.of_type(UtteranceFailed)] == ["timed_out"] * 2
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.TIMED_OUT
    assert len(studio.recognizer.withdrawn) == len(studio.recognizer.requests)


@tidy
async def test_without_a_deadline_the_recognizer_may_take_its_time() -> None:
    clock = FakeClock()
    studio = Studio(limits=SessionLimits(drain_deadline_s=None), clock=clock)
    studio.recognizer.hold(_finals_only)
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, utterances(1))
    await session.end_input()
    await studio.listener.wait_for(SpeechEnded)
    clock.advance(100_000)
    await everybody_waits()
    assert not running.done()
    await studio.recognizer.release()
    await running
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.COMPLETED


@tidy
async def test_an_abort_does_not_wait_for_the_recognizer() -> None:
    studio = Studio()
    studio.recognizer.hold()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, utterances(2))
    requests = await studio.recognizer.wait_for_requests(2)
    session.abort(EndReason.DISCONNECTED)
    await running
    studio.listener.finish()
    assert studio.listener.of_type(SessionEnded)[0].reason is EndReason.DISCONNECTED
    assert sorted(studio.recognizer.withdrawn) == sorted(request.request_id for request in requests)


@tidy
async def test_a_session_can_be_aborted_before_it_runs() -> None:
    studio = Studio()
    session = studio.open()
    session.abort(EndReason.DISCONNECTED)
    session.abort(EndReason.FAILED)
    await session.run()
    assert [type(event) for event in studio.listener.events] == [SessionStarted, SessionEnded]


@tidy
async def test_cancelling_a_session_ends_it_for_those_who_listen_elsewhere() -> None:
    studio = Studio()
    studio.recognizer.hold()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await _say(session, utterances(1))
    await studio.recognizer.wait_for_requests(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (ended,) = studio.publisher.of_type(SessionEnded)
    assert ended.reason is EndReason.DISCONNECTED
    assert not studio.listener.of_type(SessionEnded)
    await session.push_audio(sound(100_000))  # dropped, without waiting


@tidy
async def test_a_slow_listener_makes_the_session_wait_and_not_the_publisher() -> None:
    studio = Studio()
    session = studio.open()
    open_gate = asyncio.Event()

    async def slow(event: SessionEvent) -> None:
        if isinstance(event, SpeechStarted):
            await open_gate.wait()

    studio.listener.before = slow
    running = asyncio.create_task(_hear_out(session, utterances(3)))
    await everybody_waits()
    assert [type(event) for event in studio.listener.events] == [SessionStarted]
    assert [type(event) for event in studio.publisher.events] == [SessionStarted, SpeechStarted]
    open_gate.set()
    await running
    studio.listener.finish()
    assert studio.publisher.events == studio.listener.events


@tidy
async def test_what_was_recognized_is_published_even_if_the_client_is_gone() -> None:
    studio = Studio()
    session = studio.open()

    async def gone(event: SessionEvent) -> None:
        if isinstance(event, SpeechEnded):
            raise ClientVanished("It is gone.")

    studio.listener.before = gone
    # The final is there at the endpoint, begun in the pause: both are told in one breath.
    running = asyncio.create_task(session.run())
    await _say(session, sound(500) + silence(300))
    await studio.recognizer.wait_for_requests(1)
    await everybody_waits()
    await _say(session, silence(700), packet_bytes=1 << 20)
    with pytest.raises(ClientVanished):
        await running
    assert len(studio.publisher.of_type(UtteranceFinalized)) == 1
    (ended,) = studio.publisher.of_type(SessionEnded)
    assert ended.reason is EndReason.DISCONNECTED
    assert ended.finalized_samples == ended.decoded_samples


# --- parts that fail


def _decoder() -> PyAvAudioDecoder:
    return PyAvAudioDecoder(max_file_seconds=60, max_container_bytes=1 << 20)


@tidy
async def test_audio_that_cannot_be_decoded_ends_the_session_with_a_typed_error() -> None:
    studio = Studio()
    stream = _decoder().open_stream(AudioFormat())
    session = studio.open(decoder=stream)
    running = asyncio.create_task(session.run())
    await session.push_audio(b"OggS" + bytes(4_000))
    with pytest.raises(AudioNotDecodable):
        await running
    assert studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED
    await session.push_audio(bytes(1 << 22))  # dropped, without waiting
    await session.end_input()


@tidy
async def test_a_container_that_is_none_is_refused_at_its_end() -> None:
    studio = Studio()
    session = studio.open(decoder=_decoder().open_stream(AudioFormat(AudioEncoding.CONTAINER)))
    running = asyncio.create_task(session.run())
    await session.push_audio(b"this is no recording" * 100)
    await session.end_input()
    with pytest.raises(AudioNotDecodable):
        await running
    assert studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED


@tidy
async def test_other_formats_are_decoded_first() -> None:
    studio = Studio()
    session = studio.open(decoder=_decoder().open_stream(AudioFormat(sample_rate_hz=8_000)))
    running = asyncio.create_task(session.run())
    await _say(session, b"\x10\x27\xf0\xd8" * 4_000 + bytes(16_000), packet_bytes=801)
    await session.end_input()
    await running
    studio.listener.finish()
    (ended,) = studio.listener.of_type(SessionEnded)
    assert ended.received_samples == 32_000  # two seconds


@pytest.mark.parametrize("failure", [VoiceActivityUnavailable("It is closed."), RuntimeError("a defect")])
@tidy
async def test_a_detector_that_fails_ends_the_session(failure: Exception) -> None:
    def fail(_count: int) -> None:
        raise failure

    studio = Studio(detector=WatchedDetector(then=fail))
    studio.recognizer.hold()
    session = studio.open()
    running = asyncio.create_task(session.run())
    await session.push_audio(sound(500))
    with pytest.raises(type(failure)):
        await running
    assert [type(event) for event in studio.publisher.events] == [SessionStarted, SessionEnded]
    assert studio.publisher.of_type(SessionEnded)[0].reason is EndReason.FAILED


@tidy
async def test_each_session_has_a_name_of_its_own() -> None:
    studio = Studio()
    names = {studio.open().session_id for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("ses_") for name in names)

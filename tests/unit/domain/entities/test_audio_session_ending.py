"""The session in examples: how it ends, and what it leaves behind."""

import tracemalloc

import pytest

from asr_service.domain.entities.audio_session import IllegalTransition
from asr_service.domain.events.recognition_events import SpeechEnded, SpeechStarted
from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.value_objects.asr_config import EndpointingPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.unit.domain.session_driver import SessionDriver, hear, stream_pcm
from tests.unit.domain.situations import NO_PARTIALS, PAUSED_SPAN, QUIET, SPEECH, W, listening, paused, speaking


class TestTheEndOfInput:
    def test_an_empty_session_is_complete_at_once(self) -> None:
        driver = listening()
        driver.end_input()
        assert driver.session.status is SessionStatus.CLOSED
        assert driver.ending.reason is EndReason.COMPLETED
        assert driver.ending.received_samples == driver.ending.finalized_samples == 0

    def test_a_session_that_has_been_heard_out_needs_no_more_windows_to_end(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 5), (QUIET, 10))
        driver.answer_all()
        driver.session.end_input()
        driver.collect()
        assert driver.session.status is SessionStatus.CLOSED

    def test_empty_packets_are_no_audio(self) -> None:
        driver = listening()
        driver.push(0)
        driver.push(0)
        driver.end_input()
        assert driver.ending.received_samples == 0

    def test_less_audio_than_a_window_is_listened_to(self) -> None:
        driver = listening()
        driver.receive(100)
        driver.session.end_input()
        driver.collect()
        assert driver.session.status is SessionStatus.DRAINING
        driver.listen()
        assert driver.session.status is SessionStatus.CLOSED
        assert driver.ending.received_samples == driver.ending.decoded_samples == 100

    def test_it_comes_once(self) -> None:
        driver = speaking()
        driver.end_input()
        for call in (driver.session.end_input, driver.session.endpoint_forced):
            with pytest.raises(IllegalTransition, match="draining"):
                call()
        with pytest.raises(IllegalTransition, match="draining"):
            driver.session.audio_received(b"\0\0")

    def test_it_ends_the_open_utterance_at_the_last_sample(self) -> None:
        driver = speaking()
        driver.track = [*driver.track, SPEECH]
        driver.receive(100)
        driver.end_input()
        driver.answer_all()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, SampleSpan(8 * W, 15 * W + 100))]
        assert driver.ending.finalized_samples == 15 * W + 100

    def test_speech_that_begins_in_the_last_padded_window_is_inside_the_audio(self) -> None:
        driver = listening(SessionConfig(endpointing=EndpointingPolicy(min_speech_ms=32, prefix_padding_ms=0)))
        driver.track = [QUIET, SPEECH]
        driver.push(W + 1)
        driver.end_input()
        driver.answer_all()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, SampleSpan(W, W + 1))]

    def test_a_pause_in_the_padding_is_cut_to_the_audio(self) -> None:
        driver = speaking()
        driver.push_windows((QUIET, 6))
        driver.receive(1)
        driver.end_input()
        assert [request.span for request in driver.finals_waiting] == [SampleSpan(8 * W, 21 * W + 1)]

    def test_the_final_that_began_in_a_pause_is_used(self) -> None:
        driver = paused()
        (request,) = driver.finals_waiting
        driver.end_input()
        assert driver.finals_waiting == [request]
        assert driver.session.status is SessionStatus.DRAINING
        driver.answer_all()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]
        assert driver.session.status is SessionStatus.CLOSED

    def test_the_final_that_is_ready_in_a_pause_closes_the_session_at_once(self) -> None:
        driver = paused()
        driver.answer_all()
        driver.end_input()
        assert len(driver.outcomes) == 1
        assert driver.session.status is SessionStatus.CLOSED

    def test_answers_that_come_before_all_is_heard_do_not_close_the_session(self) -> None:
        driver = paused()
        driver.push_windows((QUIET, 3))
        driver.receive(W)
        driver.session.end_input()
        driver.collect()
        driver.answer_all()
        assert driver.session.status is SessionStatus.DRAINING
        driver.listen()
        assert driver.session.status is SessionStatus.CLOSED

    def test_windows_that_were_out_when_the_input_ended_still_count(self) -> None:
        driver = speaking()
        driver.receive(2 * W)
        windows = driver.take_windows()
        driver.session.end_input()
        driver.collect()
        assert driver.session.status is SessionStatus.DRAINING
        driver.observe([SPEECH] * windows)
        assert [request.span for request in driver.finals_waiting] == [SampleSpan(8 * W, 17 * W)]


class TestTheDrainDeadline:
    def test_what_is_owed_then_is_reported_as_failed(self) -> None:
        driver = listening(NO_PARTIALS)
        driver.push_windows((SPEECH, 5), (QUIET, 10), (SPEECH, 5), (QUIET, 10), (SPEECH, 5))
        first, second = driver.finals_waiting
        driver.answer(second)
        driver.end_input(deadline_s=10.0)
        driver.tell_time(9.9)
        assert driver.session.status is SessionStatus.DRAINING
        driver.tell_time(10.0)
        assert [text for _, _, text in driver.outcomes] == [
            "failed: timed_out",
            hear(second.pcm).text,
            "failed: timed_out",
        ]
        assert driver.ending.reason is EndReason.TIMED_OUT
        assert driver.ending.finalized_samples == driver.received
        assert first in driver.withdrawn

    def test_it_does_not_matter_while_audio_may_follow(self) -> None:
        driver = paused()
        driver.tell_time(1e9)
        assert driver.session.status is SessionStatus.LISTENING

    def test_without_one_the_session_waits(self) -> None:
        driver = paused()
        driver.end_input()
        driver.tell_time(1e9)
        assert driver.session.status is SessionStatus.DRAINING

    def test_the_open_utterance_ends_at_what_was_heard(self) -> None:
        driver = speaking()
        driver.receive(3 * W)
        driver.session.end_input(deadline_s=5.0)
        driver.tell_time(5.0)
        (ended,) = driver.events_of(SpeechEnded)
        assert ended.span == SampleSpan(8 * W, 15 * W)
        assert driver.outcomes == [(0, SampleSpan(8 * W, 15 * W), "failed: timed_out")]
        assert (driver.ending.received_samples, driver.ending.decoded_samples) == (18 * W, 15 * W)

    def test_a_final_that_is_ready_in_a_pause_is_not_lost(self) -> None:
        driver = paused()
        driver.answer_all()
        driver.receive(3 * W)
        driver.session.end_input(deadline_s=5.0)
        driver.tell_time(5.0)
        ((index, span, text),) = driver.outcomes
        assert (index, span) == (0, PAUSED_SPAN)
        assert not text.startswith("failed")

    def test_voice_that_is_observed_after_it_changes_nothing(self) -> None:
        driver = listening()
        driver.receive(20 * W)
        driver.session.end_input(deadline_s=5.0)
        windows = driver.take_windows()
        driver.tell_time(5.0)
        driver.observe([SPEECH] * windows)
        assert isinstance(driver.events[-1], SessionEnded)

    def test_answers_that_come_after_it_change_nothing(self) -> None:
        driver = paused()
        (request,) = driver.finals_waiting
        driver.end_input(deadline_s=5.0)
        driver.tell_time(5.0)
        driver.answer(request)
        driver.fail(request)
        driver.tell_time(6.0)
        assert isinstance(driver.events[-1], SessionEnded)


class TestAbort:
    def test_it_withdraws_what_is_owed_and_says_up_to_where_all_is_final(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 5), (QUIET, 10))
        driver.answer_all()
        driver.push_windows((SPEECH, 12))
        assert driver.partials_waiting
        driver.session.abort(EndReason.DISCONNECTED)
        driver.collect()
        second = driver.events_of(SpeechStarted)[1]
        assert driver.ending.reason is EndReason.DISCONNECTED
        assert driver.ending.finalized_samples == second.start
        assert driver.ending.decoded_samples == driver.ending.received_samples == 27 * W

    def test_it_takes_back_requests_that_nobody_has_taken_yet(self) -> None:
        driver = speaking()
        driver.session.endpoint_forced()
        driver.session.abort(EndReason.DISCONNECTED)
        assert driver.session.take_requests() == []
        assert driver.session.take_withdrawn() == []

    def test_a_second_one_is_harmless(self) -> None:
        driver = paused()
        for reason in (EndReason.FAILED, EndReason.DISCONNECTED):
            driver.session.abort(reason)
            driver.collect()
        assert driver.ending.reason is EndReason.FAILED

    @pytest.mark.parametrize("probability", [QUIET, SPEECH])
    def test_voice_that_is_observed_after_it_changes_nothing(self, probability: float) -> None:
        driver = paused()
        driver.receive(10 * W)
        windows = driver.take_windows()
        driver.session.abort(EndReason.DISCONNECTED)
        driver.collect()
        driver.observe([probability] * windows)
        assert isinstance(driver.events[-1], SessionEnded)
        assert not driver.waiting

    def test_no_input_is_legal_after_it(self) -> None:
        driver = speaking()
        driver.session.abort(EndReason.DISCONNECTED)
        for call in (driver.session.endpoint_forced, driver.session.end_input):
            with pytest.raises(IllegalTransition, match="closed"):
                call()


class TestMemory:
    @pytest.mark.parametrize("probability", [QUIET, 0.4])
    def test_ten_minutes_without_speech_leave_nothing_behind(self, probability: float) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 1))  # a click
        growth = grown_bytes(driver, [probability] * 31, rounds=600)
        assert growth < 2 * 16_000 * 2

    def test_five_minutes_of_speech_without_a_pause_hold_no_more_than_one_utterance(self) -> None:
        driver = listening(NO_PARTIALS)
        growth = grown_bytes(driver, [SPEECH] * 31, rounds=300)
        assert growth < 2 * 16_000 * (2 + 2)


def grown_bytes(driver: SessionDriver, windows: list[float], rounds: int) -> int:
    """How far memory grows over its start while rounds of audio are heard and answered."""
    session, highest = driver.session, 0
    pcm = stream_pcm(0, len(windows) * W)
    tracemalloc.start()
    try:
        for _ in range(rounds):
            session.audio_received(pcm)
            session.take_windows()
            session.voice_observed(windows)
            for request in session.take_requests():
                session.recognized(request.request_id, SILENCE)
                del request
            session.take_events()
            highest = max(highest, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return highest

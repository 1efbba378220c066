"""The session in examples: opening, windows, utterances and their endpoints, options."""

from dataclasses import replace

import pytest

from asr_service.domain.entities.audio_session import AudioSession, IllegalTransition
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import EndpointForced, SessionEnded, SessionStarted
from asr_service.domain.ports.voice_activity import WINDOW_BYTES
from asr_service.domain.value_objects.asr_config import RecognitionOptions
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.unit.domain.session_driver import CALLER, SessionDriver, stream_pcm
from tests.unit.domain.situations import (
    CONFIG,
    ENDPOINTING,
    NO_PARTIALS,
    PAUSED_SPAN,
    QUIET,
    SPEECH,
    TAIL,
    W,
    listening,
    paused,
    speaking,
)


class TestOpening:
    def test_it_starts_by_saying_who_opened_it_with_which_configuration(self) -> None:
        driver = listening()
        assert driver.events == [SessionStarted(session_id="ses_test", at_s=0.0, caller=CALLER, config=CONFIG)]
        assert driver.session.status is SessionStatus.LISTENING

    def test_its_time_is_that_of_opening_until_it_is_told_another(self) -> None:
        driver = SessionDriver(config=CONFIG)
        driver.now_s = 12.5
        driver.open()
        driver.push_windows((SPEECH, 5))
        driver.tell_time(13.5)
        driver.force_endpoint()
        assert [event.at_s for event in driver.events] == [12.5, 12.5, 13.5, 13.5]

    def test_it_opens_only_once(self) -> None:
        with pytest.raises(IllegalTransition, match="listening"):
            listening().session.open(1.0)

    def test_it_takes_nothing_before_it_is_open(self) -> None:
        session = AudioSession("ses_test", CALLER, CONFIG, new_request_id=lambda: "rec")
        for call in (lambda: session.audio_received(b"\0\0"), session.endpoint_forced, session.end_input):
            with pytest.raises(IllegalTransition, match="opening"):
                call()
        assert session.take_events() == []

    def test_an_abort_before_opening_ends_it_and_nothing_else(self) -> None:
        driver = SessionDriver()
        driver.session.abort(EndReason.DISCONNECTED)
        driver.collect()
        assert driver.events == [
            SessionEnded(
                session_id="ses_test",
                at_s=0.0,
                reason=EndReason.DISCONNECTED,
                received_samples=0,
                decoded_samples=0,
                finalized_samples=0,
            )
        ]
        with pytest.raises(IllegalTransition, match="closed"):
            driver.session.open(0.0)


class TestWindows:
    def test_only_whole_windows_are_handed_out_while_audio_may_follow(self) -> None:
        driver = listening()
        driver.receive(2 * W + 511)
        assert driver.take_windows() == 2
        driver.observe([QUIET, QUIET])
        driver.receive(1)
        assert driver.take_windows() == 1

    def test_each_window_is_handed_out_once(self) -> None:
        driver = listening()
        driver.receive(3 * W)
        assert driver.take_windows() == 3
        assert driver.take_windows() == 0

    def test_the_last_window_is_padded_with_zeros_at_the_end_of_input(self) -> None:
        driver = listening()
        driver.receive(W + 100)
        driver.session.end_input()
        windows = driver.session.take_windows()
        assert windows == stream_pcm(0, W + 100) + bytes(WINDOW_BYTES - 200)

    def test_after_the_padded_window_there_are_no_more(self) -> None:
        driver = listening()
        driver.receive(100)
        driver.session.end_input()
        assert len(driver.session.take_windows()) == WINDOW_BYTES
        assert driver.session.take_windows() == b""
        assert driver.session.take_windows() == b""

    def test_a_closed_session_hands_out_nothing(self) -> None:
        driver = listening()
        driver.receive(5 * W)
        driver.session.abort(EndReason.DISCONNECTED)
        assert driver.session.take_windows() == b""


class TestAnUtterance:
    def test_from_its_start_to_its_final(self) -> None:
        driver = speaking(NO_PARTIALS)
        driver.tell_time(1.5)
        driver.push_windows((QUIET, 10))
        driver.tell_time(2.5)
        driver.answer_all()

        started, ended, final = driver.events[1:]
        assert isinstance(final, UtteranceFinalized)
        span = SampleSpan(8 * W, 15 * W + TAIL)
        assert started == SpeechStarted(session_id="ses_test", at_s=0.0, utterance=0, start=8 * W)
        assert ended == SpeechEnded(session_id="ses_test", at_s=1.5, utterance=0, span=span, forced=False)
        assert (final.at_s, final.endpoint_at_s, final.utterance, final.span) == (2.5, 1.5, 0, span)

    def test_words_of_the_final_are_placed_in_the_stream(self) -> None:
        driver = speaking(NO_PARTIALS)
        driver.push_windows((QUIET, 10))
        (request,) = driver.finals_waiting
        word = Word("hi", SampleSpan(100, 900), confidence=0.5)
        driver.answer(request, Hypothesis("hi", (word,), Timing.ALIGNED))
        (final,) = driver.events_of(UtteranceFinalized)
        assert final.hypothesis.words == (Word("hi", SampleSpan(8 * W + 100, 8 * W + 900), confidence=0.5),)

    def test_in_a_recording_a_pause_asks_for_nothing_and_the_endpoint_for_the_final(self) -> None:
        driver = paused(replace(NO_PARTIALS, live=False))
        assert not driver.waiting
        driver.push_windows((QUIET, 3))
        (final,) = driver.finals_waiting
        assert final.span == PAUSED_SPAN

    def test_a_final_without_words_is_a_final(self) -> None:
        driver = paused()
        driver.end_input()
        driver.answer(driver.finals_waiting[0], SILENCE)
        assert driver.outcomes == [(0, PAUSED_SPAN, "")]

    def test_two_utterances_in_one_packet_are_both_seen(self) -> None:
        driver = listening(NO_PARTIALS)
        driver.push_windows((SPEECH, 5), (QUIET, 10), (SPEECH, 5), (QUIET, 10))
        kinds = [type(event) for event in driver.events[1:]]
        assert kinds == [SpeechStarted, SpeechEnded, SpeechStarted, SpeechEnded]
        driver.answer_all()
        assert [index for index, _, _ in driver.outcomes] == [0, 1]

    def test_a_final_that_is_ready_waits_for_the_one_before_it(self) -> None:
        driver = listening(NO_PARTIALS)
        driver.push_windows((SPEECH, 5), (QUIET, 10), (SPEECH, 5), (QUIET, 10))
        first, second = driver.finals_waiting
        assert driver.session.owed_finals == 2
        driver.answer(second)
        assert driver.outcomes == []
        assert driver.session.owed_finals == 1
        driver.answer(first)
        assert [index for index, _, _ in driver.outcomes] == [0, 1]
        assert driver.session.owed_finals == 0

    def test_a_failed_final_is_reported_in_its_place(self) -> None:
        driver = listening(NO_PARTIALS)
        driver.push_windows((SPEECH, 5), (QUIET, 10), (SPEECH, 5), (QUIET, 10))
        first, second = driver.finals_waiting
        driver.answer(second)
        driver.fail(first)
        failure, _ = driver.events[-2:]
        assert isinstance(failure, UtteranceFailed)
        assert (failure.code, failure.message) == ("recognition_failed", "The engine died on it.")
        assert [text.startswith("failed") for _, _, text in driver.outcomes] == [True, False]

    def test_one_that_is_too_long_is_cut_and_goes_on(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 40), (0.6, 1), (SPEECH, 40), (QUIET, 10))
        first, second = driver.events_of(SpeechEnded)
        assert (first.forced, second.forced) == (True, False)
        assert first.span.end == second.span.start == 40 * W + W // 2

    def test_a_cut_withdraws_the_partial_that_is_being_made(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 40))
        (partial,) = driver.partials_waiting
        driver.push_windows((SPEECH, 40))
        assert driver.withdrawn == [partial]
        assert [request.utterance for request in driver.partials_waiting] == [1]
        driver.answer(partial)
        assert driver.events_of(PartialRecognized) == []


class TestForcedEndpoints:
    def test_one_ends_the_utterance_at_the_end_of_the_audio_inside_a_window(self) -> None:
        driver = speaking()
        driver.receive(100)
        driver.force_endpoint()
        (ended,) = driver.events_of(SpeechEnded)
        assert (ended.span, ended.forced) == (SampleSpan(8 * W, 15 * W + 100), True)
        assert driver.events[-1] == EndpointForced(
            session_id="ses_test", at_s=0.0, position=driver.received, utterance=0
        )
        driver.answer_all()
        assert len(driver.outcomes) == 1

    def test_one_in_a_pause_uses_the_final_that_has_begun(self) -> None:
        driver = paused()
        (request,) = driver.finals_waiting
        driver.force_endpoint()
        assert driver.finals_waiting == [request]
        driver.answer_all()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]

    def test_one_in_a_pause_gives_the_final_that_is_ready(self) -> None:
        driver = paused()
        driver.answer_all()
        driver.force_endpoint()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]

    def test_one_after_a_failed_speculation_asks_again(self) -> None:
        driver = paused()
        driver.fail(driver.finals_waiting[0])
        driver.force_endpoint()
        assert [request.span for request in driver.finals_waiting] == [PAUSED_SPAN]

    def test_one_in_silence_is_told_and_changes_nothing(self) -> None:
        driver = listening()
        driver.push_windows((QUIET, 10))
        driver.force_endpoint()
        driver.force_endpoint()
        assert [event.utterance for event in driver.events_of(EndpointForced)] == [None, None]
        assert len(driver.events) == 3

    def test_the_rest_of_the_window_it_lies_in_begins_no_utterance(self) -> None:
        driver = speaking(replace(CONFIG, endpointing=replace(ENDPOINTING, min_speech_ms=32)))
        driver.receive(100)
        driver.force_endpoint()
        driver.track = [*driver.track, SPEECH]
        driver.end_input()
        driver.answer_all()
        assert [(index, span.end) for index, span, _ in driver.outcomes] == [(0, driver.received)]
        assert driver.ending.reason is EndReason.COMPLETED

    def test_the_session_may_be_broken_off_right_after_one(self) -> None:
        driver = speaking()
        driver.receive(100)
        driver.force_endpoint()
        driver.session.abort(EndReason.DISCONNECTED)
        driver.collect()
        assert driver.ending.decoded_samples == driver.received

    def test_whoever_speaks_on_begins_the_next_utterance_without_a_gap(self) -> None:
        driver = speaking(NO_PARTIALS)
        driver.force_endpoint()
        driver.push_windows((SPEECH, 5), (QUIET, 10))
        driver.answer_all()
        first, second = driver.outcomes
        assert first[1].end == second[1].start == 15 * W


class TestRecordings:
    def test_who_speaks_just_now_asks_for_live_requests(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        driver.push_windows((QUIET, 7))
        assert [request.live for request in driver.waiting.values()] == [True, True]

    def test_a_recording_does_not(self) -> None:
        driver = listening(replace(NO_PARTIALS, live=False))
        driver.push_windows((SPEECH, 10), (QUIET, 10))
        assert [request.live for request in driver.finals_waiting] == [False]

    def test_nor_does_who_sends_faster_than_anybody_speaks(self) -> None:
        driver = listening(NO_PARTIALS)
        for quiet, now_s, live in ((200, 0.0, True), (200, 0.0, False), (10, 20.0, True)):
            driver.tell_time(now_s)
            driver.push_windows((QUIET, quiet), (SPEECH, 10), (QUIET, 10))
            assert [request.live for request in driver.finals_waiting] == [live]
            driver.answer_all()


class TestOptions:
    def test_they_apply_from_the_next_request_on(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        options = RecognitionOptions(language="zh", hotwords=("飞桨",))
        driver.session.options_changed(options)
        driver.push_windows((QUIET, 7))
        assert driver.partials_waiting[0].options == CONFIG.options
        assert driver.finals_waiting[0].options == options
        assert driver.session.config.endpointing == ENDPOINTING

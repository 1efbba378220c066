"""The session in examples: one situation after the other that a live stream gets into."""

import tracemalloc

import pytest

from asr_service.domain.entities.audio_session import AudioSession, IllegalTransition
from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import SessionEnded, SessionStarted
from asr_service.domain.ports.recognizer import RecognitionKind
from asr_service.domain.ports.voice_activity import WINDOW_BYTES, WINDOW_SAMPLES
from asr_service.domain.value_objects.asr_config import (
    EndpointingPolicy,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from tests.unit.domain.session_driver import CALLER, SessionDriver, hear, stream_pcm

W = WINDOW_SAMPLES
SPEECH, QUIET = 0.95, 0.01
TAIL = 3_200  # 200 ms

ENDPOINTING = EndpointingPolicy(silence_ms=320, min_speech_ms=96, max_utterance_ms=2_000, prefix_padding_ms=64)
CONFIG = SessionConfig(endpointing=ENDPOINTING, partials=PartialPolicy(interval_ms=320))
NO_PARTIALS = SessionConfig(endpointing=ENDPOINTING, partials=PartialPolicy(enabled=False))


def listening(config: SessionConfig = CONFIG) -> SessionDriver:
    return SessionDriver(config=config).open()


def speaking(config: SessionConfig = CONFIG) -> SessionDriver:
    """A session in the middle of its first utterance, which begins at sample 4096, and of no partial."""
    driver = listening(config)
    driver.push_windows((QUIET, 10), (SPEECH, 5))
    return driver


def paused(config: SessionConfig = CONFIG) -> SessionDriver:
    """A session whose speaker has paused; the speculative final for ``PAUSED_SPAN`` is waiting."""
    driver = speaking(config)
    driver.push_windows((QUIET, 7))
    return driver


PAUSED_SPAN = SampleSpan(8 * W, 15 * W + TAIL)


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
        assert [event.at_s for event in driver.events] == [12.5, 12.5, 13.5]

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
        driver.session.abort(EndReason.SHUTDOWN)
        driver.collect()
        assert driver.events == [
            SessionEnded(
                session_id="ses_test",
                at_s=0.0,
                reason=EndReason.SHUTDOWN,
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


class TestPartials:
    def test_they_are_asked_for_in_the_interval_of_the_policy(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 9))
        assert driver.partials_waiting == []
        driver.push_windows((SPEECH, 1))
        (request,) = driver.partials_waiting
        assert (request.kind, request.span) == (RecognitionKind.PARTIAL, SampleSpan(0, 10 * W))

    def test_only_one_is_on_its_way_at_a_time(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        (first,) = driver.partials_waiting
        driver.push_windows((SPEECH, 15))
        assert driver.partials_waiting == [first]
        driver.answer(first)
        driver.push_windows((SPEECH, 1))
        (second,) = driver.partials_waiting
        assert second.span == SampleSpan(0, 26 * W)

    def test_the_interval_counts_from_the_last_one_that_was_asked_for(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 12))
        driver.say("the")
        driver.push_windows((SPEECH, 9))
        assert driver.partials_waiting == []
        driver.push_windows((SPEECH, 1))
        assert [request.span for request in driver.partials_waiting] == [SampleSpan(0, 22 * W)]

    def test_they_tell_which_audio_was_listened_to(self) -> None:
        driver = speaking()
        driver.push_windows((SPEECH, 3))
        driver.push_windows((SPEECH, 2))
        driver.say("the")
        driver.push_windows((QUIET, 7))
        driver.say("the cat")
        spans = [event.span for event in driver.events_of(PartialRecognized)]
        assert spans == [SampleSpan(8 * W, 18 * W), SampleSpan(8 * W, 20 * W + TAIL)]

    def test_they_count_their_revisions_and_tell_what_is_settled(self) -> None:
        driver = listening()
        for text in ("the cat", "the cat sat", "the cat sat down"):
            driver.push_windows((SPEECH, 10))
            driver.say(text)
        assert driver.partials == [("", "the cat"), ("the cat", " sat"), ("the cat sat", " down")]
        assert [event.revision for event in driver.events_of(PartialRecognized)] == [1, 2, 3]

    def test_what_is_settled_is_told_to_the_recognizer(self) -> None:
        driver = listening()
        for text in ("the cat", "the cat sat"):
            driver.push_windows((SPEECH, 10))
            driver.say(text)
        driver.push_windows((SPEECH, 10))
        assert driver.partials_waiting[0].settled_text == "the cat"

    def test_finals_are_made_from_the_audio_alone(self) -> None:
        driver = listening()
        for text in ("the cat", "the cat sat"):
            driver.push_windows((SPEECH, 10))
            driver.say(text)
        driver.push_windows((QUIET, 10))
        assert driver.finals_waiting[0].settled_text == ""

    def test_one_that_says_nothing_new_is_not_shown(self) -> None:
        driver = listening()
        for text in ("", "the cat", "the cat", "the cat"):
            driver.push_windows((SPEECH, 10))
            driver.say(text)
        assert driver.partials == [("", "the cat"), ("the cat", "")]

    def test_a_failed_one_is_no_loss(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        driver.fail(driver.partials_waiting[0])
        driver.push_windows((SPEECH, 10))
        driver.say("the cat")
        assert driver.partials == [("", "the cat")]

    def test_the_endpoint_withdraws_the_one_that_is_being_made(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        (partial,) = driver.partials_waiting
        driver.push_windows((QUIET, 10))
        assert driver.withdrawn == [partial]
        driver.answer(partial)
        assert driver.partials == []

    def test_there_are_none_in_a_pause(self) -> None:
        driver = paused()
        assert driver.partials_waiting == []
        driver.push_windows((QUIET, 2))
        assert driver.partials_waiting == []

    def test_there_are_none_when_the_client_wants_none(self) -> None:
        driver = listening(NO_PARTIALS)
        driver.push_windows((SPEECH, 40), (QUIET, 7))
        assert driver.partials_waiting == []
        driver.answer_all()
        driver.push_windows((QUIET, 3))
        assert driver.partials == []
        assert len(driver.outcomes) == 1

    def test_one_that_is_older_than_what_was_shown_is_not_shown(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        (partial,) = driver.partials_waiting
        driver.push_windows((QUIET, 7))
        driver.answer(driver.finals_waiting[0], Hypothesis("all of it"))
        driver.answer(partial, Hypothesis("all"))
        assert driver.partials == [("", "all of it")]

    def test_one_that_was_overtaken_does_not_settle_anything(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        (partial,) = driver.partials_waiting
        driver.push_windows((QUIET, 7))
        driver.answer(driver.finals_waiting[0], Hypothesis("all of it"))
        driver.answer(partial, Hypothesis("all of it"))
        driver.push_windows((SPEECH, 10))
        assert driver.partials_waiting[0].settled_text == ""


class TestSpeculativeFinals:
    def test_a_pause_begins_the_final(self) -> None:
        driver = paused()
        (request,) = driver.finals_waiting
        assert request.span == PAUSED_SPAN
        assert driver.outcomes == []

    def test_the_endpoint_finds_the_final_ready(self) -> None:
        driver = paused()
        driver.answer_all()
        assert len(driver.partials) == 1
        driver.push_windows((QUIET, 3))
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]
        assert not driver.waiting

    def test_the_endpoint_waits_for_the_one_that_is_being_made(self) -> None:
        driver = paused()
        (request,) = driver.finals_waiting
        driver.push_windows((QUIET, 3))
        assert driver.finals_waiting == [request]
        driver.answer_all()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]

    def test_it_is_withdrawn_when_the_speaker_goes_on(self) -> None:
        driver = paused()
        (speculation,) = driver.finals_waiting
        driver.push_windows((SPEECH, 5))
        assert driver.withdrawn == [speculation]
        driver.push_windows((QUIET, 10))
        driver.answer(speculation, Hypothesis("too early"))
        driver.answer_all()
        ((_, span, text),) = driver.outcomes
        assert span == SampleSpan(8 * W, 27 * W + TAIL)
        assert text != "too early"

    def test_its_text_is_dropped_when_the_speaker_goes_on(self) -> None:
        driver = paused()
        driver.answer(driver.finals_waiting[0], Hypothesis("too early"))
        driver.push_windows((SPEECH, 5))
        assert driver.withdrawn == []
        driver.push_windows((QUIET, 10))
        driver.answer_all()
        ((_, _, text),) = driver.outcomes
        assert text != "too early"

    def test_its_failure_is_no_failure_of_the_utterance(self) -> None:
        driver = paused()
        driver.fail(driver.finals_waiting[0])
        assert driver.outcomes == []
        driver.push_windows((QUIET, 3))
        (request,) = driver.finals_waiting
        assert request.span == PAUSED_SPAN
        driver.answer_all()
        assert driver.outcomes[0][2].startswith("w")

    def test_its_failure_after_the_endpoint_is_one(self) -> None:
        driver = paused()
        driver.push_windows((QUIET, 3))
        driver.fail(driver.finals_waiting[0])
        assert driver.outcomes == [(0, PAUSED_SPAN, "failed: recognition_failed")]

    def test_a_pause_that_ends_in_the_same_packet_asks_for_nothing(self) -> None:
        driver = listening(NO_PARTIALS)
        driver.push_windows((SPEECH, 5), (QUIET, 8), (SPEECH, 5), (QUIET, 8), (SPEECH, 5))
        assert not driver.waiting
        assert driver.withdrawn == []

    def test_a_partial_that_is_overtaken_in_the_same_packet_is_not_asked_for(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 9))
        driver.receive(2 * W)
        driver.session.end_input()
        driver.take_windows()
        driver.observe([SPEECH, SPEECH])
        assert driver.partials_waiting == []
        assert driver.withdrawn == []
        assert len(driver.finals_waiting) == 1


class TestForcedEndpoints:
    def test_one_ends_the_utterance_at_what_has_been_heard(self) -> None:
        driver = speaking()
        driver.receive(100)
        driver.force_endpoint()
        (ended,) = driver.events_of(SpeechEnded)
        assert (ended.span, ended.forced) == (SampleSpan(8 * W, 15 * W), True)
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

    def test_one_in_silence_changes_nothing(self) -> None:
        driver = listening()
        driver.push_windows((QUIET, 10))
        driver.force_endpoint()
        driver.force_endpoint()
        assert len(driver.events) == 1

    def test_whoever_speaks_on_begins_the_next_utterance_without_a_gap(self) -> None:
        driver = speaking(NO_PARTIALS)
        driver.force_endpoint()
        driver.push_windows((SPEECH, 5), (QUIET, 10))
        driver.answer_all()
        first, second = driver.outcomes
        assert first[1].end == second[1].start == 15 * W


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
        for reason in (EndReason.FAILED, EndReason.SHUTDOWN):
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

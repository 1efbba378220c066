"""The session in examples: what is shown while somebody speaks, and finals that begin in a pause."""

from asr_service.domain.events.recognition_events import PartialRecognized
from asr_service.domain.ports.recognizer import RecognitionKind
from asr_service.domain.value_objects.asr_config import PartialPolicy, SessionConfig
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Draft, Hypothesis
from tests.unit.domain.situations import (
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

    def test_the_first_interval_counts_from_the_speech_and_not_from_its_padding(self) -> None:
        driver = speaking()
        driver.push_windows((SPEECH, 4))
        assert driver.partials_waiting == []
        driver.push_windows((SPEECH, 1))
        assert [request.span for request in driver.partials_waiting] == [SampleSpan(8 * W, 20 * W)]

    def test_the_interval_is_kept_in_the_mean_however_long_a_window_is(self) -> None:
        driver = listening(SessionConfig(endpointing=ENDPOINTING, partials=PartialPolicy(interval_ms=300)))
        driver.push_windows((SPEECH, 8))
        assert driver.partials_waiting == []
        driver.push_windows((SPEECH, 1))
        assert [request.span for request in driver.partials_waiting] == [SampleSpan(0, 9 * W)]

    def test_there_are_none_in_silence_that_may_become_a_pause(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 8), (QUIET, 4))
        assert driver.partials_waiting == []
        driver.push_windows((SPEECH, 1))
        assert [request.span for request in driver.partials_waiting] == [SampleSpan(0, 13 * W)]

    def test_the_load_stretches_their_interval(self) -> None:
        driver = listening(SessionConfig(endpointing=ENDPOINTING, partials=PartialPolicy(True, 320, 960)))
        driver.load = 0.5
        driver.push_windows((SPEECH, 19))
        assert driver.partials_waiting == []
        driver.push_windows((SPEECH, 1))
        driver.say("the")
        driver.load = 0.0
        driver.push_windows((SPEECH, 10))
        assert [request.span for request in driver.partials_waiting] == [SampleSpan(0, 30 * W)]

    def test_they_tell_which_audio_was_listened_to(self) -> None:
        driver = speaking()
        driver.push_windows((SPEECH, 5))
        driver.push_windows((SPEECH, 2))
        driver.say("the")
        driver.push_windows((QUIET, 7))
        driver.say("the cat")
        spans = [event.span for event in driver.events_of(PartialRecognized)]
        assert spans == [SampleSpan(8 * W, 20 * W), SampleSpan(8 * W, 22 * W + TAIL)]

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

    def test_a_final_that_was_begun_in_a_pause_is_shown_as_long_as_it_may_go_on(self) -> None:
        driver = listening()
        driver.push_windows((SPEECH, 10))
        driver.say("twenty")
        driver.push_windows((QUIET, 7))
        draft = Draft(recognized="twenty five", shown="twenty five")
        driver.answer(driver.finals_waiting[0], Hypothesis("25", draft=draft))
        driver.push_windows((SPEECH, 10))
        assert driver.partials == [("", "twenty"), ("twenty", " five")]
        assert driver.partials_waiting[0].settled_text == "twenty"

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

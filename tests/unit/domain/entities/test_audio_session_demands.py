"""What a client may demand of a running session: endpoints on demand only, another policy, its audio back."""

from dataclasses import replace

from asr_service.domain.events.recognition_events import SpeechEnded, SpeechStarted
from asr_service.domain.events.session_events import AudioDiscarded, EndpointingChanged
from tests.unit.domain.situations import (
    CONFIG,
    ENDPOINTING,
    PAUSED_SPAN,
    QUIET,
    SPEECH,
    W,
    listening,
    paused,
    speaking,
)

ON_DEMAND = replace(CONFIG, endpointing=replace(ENDPOINTING, on_demand=True))


class TestEndpointsOnDemand:
    def test_the_utterance_goes_on_through_silence_until_its_endpoint_is_asked_for(self) -> None:
        driver = speaking(ON_DEMAND)
        driver.push_windows((QUIET, 20), (SPEECH, 5), (QUIET, 20))
        assert driver.events_of(SpeechEnded) == []
        driver.force_endpoint()
        driver.answer_all()
        assert [span.start for _, span, _ in driver.outcomes] == [8 * W]

    def test_the_final_begun_in_the_last_pause_is_the_final(self) -> None:
        driver = paused(ON_DEMAND)
        driver.push_windows((QUIET, 20))
        driver.answer_all()
        driver.force_endpoint()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]

    def test_it_is_bounded_by_its_greatest_length(self) -> None:
        driver = speaking(ON_DEMAND)
        driver.push_windows((SPEECH, 100))
        assert [len(event.span) <= 32_000 for event in driver.events_of(SpeechEnded)] == [True]


class TestAnotherPolicy:
    def test_it_is_told_and_ends_the_open_utterance_in_its_own_way(self) -> None:
        driver = speaking(ON_DEMAND)
        driver.push_windows((QUIET, 20))
        driver.change_endpointing(ENDPOINTING)
        assert [event.endpointing for event in driver.events_of(EndpointingChanged)] == [ENDPOINTING]
        driver.push_windows((QUIET, 1))
        assert [event.forced for event in driver.events_of(SpeechEnded)] == [False]

    def test_it_is_part_of_the_configuration(self) -> None:
        driver = listening()
        driver.change_endpointing(ON_DEMAND.endpointing)
        assert driver.session.config == ON_DEMAND


class TestDiscardedAudio:
    def test_the_open_utterance_has_no_final_and_nothing_is_recognized_for_it(self) -> None:
        driver = paused()
        assert driver.waiting
        driver.discard_audio()
        assert not driver.waiting
        assert driver.events[-1] == AudioDiscarded(
            session_id="ses_test", at_s=0.0, position=driver.received, utterance=0
        )
        driver.end_input()
        assert driver.outcomes == []

    def test_the_next_utterance_begins_after_it(self) -> None:
        driver = speaking()
        driver.receive(100)
        driver.discard_audio()
        driver.push_windows((SPEECH, 5))
        assert [event.start for event in driver.events_of(SpeechStarted)] == [8 * W, 15 * W + 100]

    def test_an_utterance_that_has_ended_keeps_its_final(self) -> None:
        driver = speaking()
        driver.push_windows((QUIET, 11))
        driver.discard_audio()
        driver.answer_all()
        assert [(index, span) for index, span, _ in driver.outcomes] == [(0, PAUSED_SPAN)]
        assert [event.utterance for event in driver.events_of(AudioDiscarded)] == [None]

    def test_a_partial_that_is_answered_too_late_is_nothing(self) -> None:
        driver = speaking()
        driver.push_windows((SPEECH, 10))
        (partial,) = driver.partials_waiting
        driver.discard_audio()
        assert driver.withdrawn == [partial]
        driver.answer(partial)
        assert driver.partials == []

    def test_what_comes_after_it_is_numbered_on(self) -> None:
        driver = speaking()
        driver.discard_audio()
        driver.push_windows((SPEECH, 5), (QUIET, 11))
        driver.answer_all()
        assert [(index, span.start) for index, span, _ in driver.outcomes] == [(1, 15 * W)]

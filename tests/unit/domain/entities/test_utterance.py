from asr_service.domain.entities.utterance import Failure, Utterance
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.services.stabilizer import Agreement
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE, Draft, Hypothesis


def utterance() -> Utterance:
    return Utterance(index=0, start=0, partial_position=0)


class TestSettled:
    def test_it_takes_an_endpoint_and_an_outcome(self) -> None:
        it = utterance()
        assert not it.settled
        it.span = SampleSpan(0, 100)
        assert not it.settled
        it.outcome = SILENCE
        assert it.settled

    def test_an_outcome_before_the_endpoint_settles_nothing(self) -> None:
        it = utterance()
        it.outcome = Failure("recognition_failed", "It died.")
        assert not it.settled


class TestShow:
    def test_each_new_text_is_a_revision(self) -> None:
        it = utterance()
        assert it.show(Hypothesis("the"), 100) == Agreement("", "the")
        assert it.show(Hypothesis("the cat"), 200) == Agreement("the", " cat")
        assert it.revision == 2

    def test_the_same_text_again_changes_only_what_is_stable(self) -> None:
        it = utterance()
        it.show(Hypothesis("the"), 100)
        assert it.show(Hypothesis("the"), 200) == Agreement("the", "")
        assert it.show(Hypothesis("the"), 300) is None
        assert it.revision == 2

    def test_no_text_is_nothing_to_show(self) -> None:
        it = utterance()
        assert it.show(Hypothesis(""), 100) is None
        assert it.revision == 0

    def test_text_of_less_audio_is_not_looked_at(self) -> None:
        it = utterance()
        it.show(Hypothesis("the cat"), 200)
        assert it.show(Hypothesis("the cat"), 100) is None
        assert it.settled_text == ""

    def test_text_of_the_same_audio_is_looked_at(self) -> None:
        it = utterance()
        it.show(Hypothesis("the cat"), 200)
        assert it.show(Hypothesis("the cat"), 200) == Agreement("the cat", "")

    def test_what_is_shown_is_not_what_the_engine_goes_on_from(self) -> None:
        it = utterance()
        for end, shown in ((100, "the ***"), (200, "the *** sat")):
            draft = Draft(recognized=shown.replace("***", "dog"), shown=shown)
            agreement = it.show(Hypothesis("told at last", draft=draft), end)
        assert agreement == Agreement("the ***", " sat")
        assert it.settled_text == "the dog"


class TestTold:
    def test_a_final_leaves_without_its_draft(self) -> None:
        it = utterance()
        it.span = SampleSpan(0, 100)
        it.outcome = Hypothesis("the ***", draft=Draft(recognized="the dog", shown="the"))
        told = it.told("ses_1", 1.0)
        assert isinstance(told, UtteranceFinalized)
        assert told.hypothesis == Hypothesis("the ***")


class TestForgetSpeculation:
    def test_it_gives_back_the_request_that_is_on_its_way(self) -> None:
        it = utterance()
        it.final_request, it.final_span = "rec_1", SampleSpan(0, 100)
        assert it.forget_speculation() == "rec_1"
        assert it.final_request is None
        assert it.final_span is None

    def test_it_drops_the_text_that_has_come(self) -> None:
        it = utterance()
        it.final_span, it.outcome = SampleSpan(0, 100), SILENCE
        assert it.forget_speculation() is None
        assert it.final_span is None
        assert it.outcome is None

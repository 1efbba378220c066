from asr_service.domain.entities.utterance import Failure, Utterance
from asr_service.domain.services.stabilizer import Agreement
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import SILENCE


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
        assert it.show("the", 100) == Agreement("", "the")
        assert it.show("the cat", 200) == Agreement("the", " cat")
        assert it.revision == 2

    def test_the_same_text_again_changes_only_what_is_stable(self) -> None:
        it = utterance()
        it.show("the", 100)
        assert it.show("the", 200) == Agreement("the", "")
        assert it.show("the", 300) is None
        assert it.revision == 2

    def test_no_text_is_nothing_to_show(self) -> None:
        it = utterance()
        assert it.show("", 100) is None
        assert it.revision == 0

    def test_text_of_less_audio_is_not_looked_at(self) -> None:
        it = utterance()
        it.show("the cat", 200)
        assert it.show("the cat", 100) is None
        assert it.stabilizer.stable == ""

    def test_text_of_the_same_audio_is_looked_at(self) -> None:
        it = utterance()
        it.show("the cat", 200)
        assert it.show("the cat", 200) == Agreement("the cat", "")


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

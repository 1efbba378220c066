"""What the language of a session is, and when a detection is doubted."""

import pytest

from asr_service.domain.services.spoken_language import (
    ENOUGH_SPEECH_MS,
    FAR_LESS_PROBABLE,
    SURE_OF_LANGUAGE,
    SpokenLanguage,
    is_doubtful,
    second_hearing,
)
from asr_service.domain.value_objects.audio_metadata import samples_from_ms
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis

SURE, UNSURE = SURE_OF_LANGUAGE, SURE_OF_LANGUAGE - 0.01
ENOUGH = samples_from_ms(ENOUGH_SPEECH_MS)
NOTHING_YET, MANDARIN = SpokenLanguage(), SpokenLanguage("zh")


def heard(language: str | None, confidence: float | None, text: str = "text") -> Hypothesis:
    return Hypothesis(text, language=language, language_confidence=confidence)


class TestWhatTheLanguageIs:
    @pytest.mark.parametrize("samples", [1, ENOUGH])
    @pytest.mark.parametrize("before", [NOTHING_YET, MANDARIN])
    @pytest.mark.parametrize("confidence", [SURE, 1.0, None])
    def test_one_that_is_sure_or_given_counts_at_once(
        self, before: SpokenLanguage, confidence: float | None, samples: int
    ) -> None:
        assert before.after(heard("en", confidence), samples) == SpokenLanguage("en")

    def test_one_that_is_unsure_counts_while_there_is_no_other(self) -> None:
        assert NOTHING_YET.after(heard("en", UNSURE), ENOUGH) == SpokenLanguage("en")
        assert MANDARIN.after(heard("en", UNSURE), ENOUGH) == MANDARIN

    def test_one_that_is_unsure_of_too_little_speech_counts_for_nothing(self) -> None:
        assert NOTHING_YET.after(heard("ja", UNSURE), ENOUGH - 1) == NOTHING_YET

    def test_a_text_of_no_language_and_no_text_change_nothing(self) -> None:
        assert MANDARIN.after(SILENCE, ENOUGH) == MANDARIN
        assert MANDARIN.after(heard("en", 1.0, ""), ENOUGH) == MANDARIN
        assert MANDARIN.after(heard(None, None), ENOUGH) == MANDARIN


class TestDoubt:
    def test_what_is_unsure_and_of_another_language_is_doubted(self) -> None:
        assert MANDARIN.doubts(heard("ja", UNSURE))

    @pytest.mark.parametrize(
        "hypothesis",
        [
            pytest.param(heard("ja", SURE), id="a sure one"),
            pytest.param(heard("ja", None), id="a given one, or one of an engine that does not say"),
            pytest.param(heard("zh", UNSURE), id="one of the same language"),
            pytest.param(heard("ja", UNSURE, ""), id="one without text"),
        ],
    )
    def test_others_are_believed(self, hypothesis: Hypothesis) -> None:
        assert not MANDARIN.doubts(hypothesis)

    def test_the_first_has_nobody_to_ask(self) -> None:
        assert not NOTHING_YET.doubts(heard("ja", UNSURE))

    def test_only_an_unsure_text_can_ever_be_doubted(self) -> None:
        assert is_doubtful(heard("ja", UNSURE))
        assert not is_doubtful(heard("ja", SURE))
        assert not is_doubtful(heard("ja", UNSURE, ""))
        assert not is_doubtful(heard("ja", None))


class TestTheSecondHearing:
    FIRST = Hypothesis("うん", language="ja", language_confidence=UNSURE, average_logprob=-1.0)

    @pytest.mark.parametrize("logprob", [None, -0.1, -1.0 - FAR_LESS_PROBABLE])
    def test_it_counts(self, logprob: float | None) -> None:
        second = Hypothesis("嗯", language="zh", average_logprob=logprob)
        assert second_hearing(self.FIRST, second) is second

    def test_it_counts_if_the_first_is_of_unknown_probability(self) -> None:
        second = Hypothesis("嗯", language="zh", average_logprob=-9.0)
        assert second_hearing(heard("ja", UNSURE), second) is second

    def test_it_does_not_if_it_is_far_less_probable_or_says_nothing(self) -> None:
        improbable = Hypothesis("嗯", language="zh", average_logprob=-1.01 - FAR_LESS_PROBABLE)
        assert second_hearing(self.FIRST, improbable) is self.FIRST
        assert second_hearing(self.FIRST, SILENCE) is self.FIRST

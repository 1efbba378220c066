"""The language of a session, and the second hearing of finals whose language is doubtful."""

from collections import Counter
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.events.recognition_events import SpeechStarted, UtteranceFinalized
from asr_service.domain.ports.recognizer import RecognitionKind, RecognitionRequest
from asr_service.domain.services.spoken_language import ENOUGH_SPEECH_MS, FAR_LESS_PROBABLE, SURE_OF_LANGUAGE
from asr_service.domain.value_objects.asr_config import (
    EndpointingPolicy,
    PartialPolicy,
    RecognitionOptions,
    SessionConfig,
)
from asr_service.domain.value_objects.audio_metadata import SampleSpan, samples_from_ms
from asr_service.domain.value_objects.hypothesis import SILENCE, Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import SessionStatus
from tests.unit.domain.session_driver import SessionDriver
from tests.unit.domain.situations import QUIET, SPEECH, TAIL, W

CONFIG = SessionConfig(
    endpointing=EndpointingPolicy(silence_ms=320, max_utterance_ms=10_000, prefix_padding_ms=0),
    partials=PartialPolicy(enabled=False),
)
GIVEN = replace(CONFIG, options=RecognitionOptions(language="zh"))
LONG = -(-samples_from_ms(ENOUGH_SPEECH_MS) // W)  # windows
SHORT = 20
SURE, UNSURE = SURE_OF_LANGUAGE, SURE_OF_LANGUAGE - 0.3


def detected(text: str, language: str, confidence: float, logprob: float = -0.5) -> Hypothesis:
    return Hypothesis(text, language=language, language_confidence=confidence, average_logprob=logprob)


SURE_MANDARIN = detected("今天天气很好", "zh", SURE)
DOUBTFUL_JAPANESE = detected("うん", "ja", UNSURE)
MANDARIN_AGAIN = Hypothesis("嗯", language="zh", average_logprob=-0.6)


def listening(config: SessionConfig = CONFIG) -> SessionDriver:
    return SessionDriver(config=config).open()


def utter(driver: SessionDriver, windows: int = SHORT) -> RecognitionRequest:
    """Speaks one utterance and returns the request for its final."""
    before = set(driver.waiting)
    driver.push_windows((SPEECH, windows), (QUIET, 15))
    (request,) = (driver.waiting[request_id] for request_id in driver.waiting if request_id not in before)
    return request


def converse(driver: SessionDriver, *answers: Hypothesis) -> None:
    """Speaks an utterance for each answer, and gives it."""
    for answer in answers:
        driver.answer(utter(driver), answer)


def finals(driver: SessionDriver) -> list[tuple[str, str | None]]:
    return [(event.hypothesis.text, event.hypothesis.language) for event in driver.events_of(UtteranceFinalized)]


class TestTheSecondHearing:
    def test_a_doubtful_final_is_heard_again_in_the_language_of_the_session(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN)
        first = utter(driver)
        driver.answer(first, DOUBTFUL_JAPANESE)
        (second,) = driver.finals_waiting
        assert second == replace(first, request_id=second.request_id, options=replace(first.options, language="zh"))
        assert len(finals(driver)) == 1
        driver.answer(second, MANDARIN_AGAIN)
        assert finals(driver) == [("今天天气很好", "zh"), ("嗯", "zh")]

    def test_its_positions_are_those_of_the_stream(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN)
        driver.answer(utter(driver), DOUBTFUL_JAPANESE)
        (second,) = driver.finals_waiting
        words = (Word("嗯", SampleSpan(100, 200)),)
        driver.answer(second, replace(MANDARIN_AGAIN, words=words, timing=Timing.ALIGNED))
        (word,) = driver.events_of(UtteranceFinalized)[-1].hypothesis.words
        assert word.span == SampleSpan(100, 200).shifted(second.span.start)

    def test_it_is_the_last_one_whatever_it_says(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN, DOUBTFUL_JAPANESE)
        driver.answer(driver.finals_waiting[0], detected("네", "ko", 0.1))
        assert finals(driver)[-1] == ("네", "ko")
        assert not driver.waiting

    @pytest.mark.parametrize("second", [SILENCE, replace(MANDARIN_AGAIN, average_logprob=-0.6 - FAR_LESS_PROBABLE)])
    def test_the_first_counts_if_the_second_is_refuted(self, second: Hypothesis) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN, DOUBTFUL_JAPANESE)
        driver.answer(driver.finals_waiting[0], second)
        assert finals(driver)[-1] == ("うん", "ja")

    def test_the_first_counts_if_the_second_fails(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN, DOUBTFUL_JAPANESE)
        driver.fail(driver.finals_waiting[0])
        assert finals(driver)[-1] == ("うん", "ja")
        converse(driver, DOUBTFUL_JAPANESE)
        assert driver.finals_waiting[0].options.language == "zh"  # what was not sure has not become the language

    def test_the_first_counts_if_the_second_is_too_late(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN, DOUBTFUL_JAPANESE)
        driver.end_input(deadline_s=5.0)
        driver.tell_time(5.0)
        assert finals(driver)[-1] == ("うん", "ja")
        assert driver.session.status is SessionStatus.CLOSED

    def test_the_session_ends_after_it(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN, DOUBTFUL_JAPANESE)
        driver.end_input()
        assert driver.session.status is SessionStatus.DRAINING
        driver.answer(driver.finals_waiting[0], MANDARIN_AGAIN)
        assert driver.session.status is SessionStatus.CLOSED

    def test_it_has_the_options_of_the_first(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN)
        first = utter(driver)
        driver.session.options_changed(RecognitionOptions(language="ko", prompt="later"))
        driver.answer(first, DOUBTFUL_JAPANESE)
        (second,) = driver.finals_waiting
        assert (second.options.language, second.options.prompt) == ("zh", None)

    def test_a_speculative_final_is_heard_again_only_at_its_endpoint(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN)
        driver.push_windows((SPEECH, SHORT), (QUIET, 8))
        driver.answer(driver.finals_waiting[0], DOUBTFUL_JAPANESE)
        assert not driver.waiting
        driver.push_windows((QUIET, 2))
        assert [request.options.language for request in driver.finals_waiting] == ["zh"]

    def test_a_speculation_that_is_dropped_is_forgotten_with_its_doubt(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN)
        driver.push_windows((SPEECH, SHORT), (QUIET, 8))
        driver.answer(driver.finals_waiting[0], DOUBTFUL_JAPANESE)
        driver.push_windows((SPEECH, SHORT), (QUIET, 10))
        driver.answer(driver.finals_waiting[0], SURE_MANDARIN)
        assert finals(driver)[-1] == ("今天天气很好", "zh")
        assert not driver.waiting


class TestTheLanguageOfTheSession:
    def test_a_speaker_may_change_it_from_one_utterance_to_the_next(self) -> None:
        driver = listening()
        for language in ("zh", "en", "zh"):
            converse(driver, detected("text", language, SURE), DOUBTFUL_JAPANESE)
            assert driver.finals_waiting[0].options.language == language
            driver.answer_all()

    def test_the_first_utterance_has_nobody_to_ask(self) -> None:
        driver = listening()
        converse(driver, DOUBTFUL_JAPANESE)
        assert finals(driver) == [("うん", "ja")]

    @pytest.mark.parametrize(("windows", "asked"), [(SHORT, []), (LONG, ["ja"])])
    def test_an_unsure_first_one_counts_if_it_is_long_enough(self, windows: int, asked: list[str]) -> None:
        driver = listening()
        driver.answer(utter(driver, windows), DOUBTFUL_JAPANESE)
        driver.answer(utter(driver), detected("네", "ko", UNSURE))
        assert [request.options.language for request in driver.finals_waiting] == asked

    def test_a_final_without_text_and_a_failure_change_nothing(self) -> None:
        driver = listening()
        converse(driver, SURE_MANDARIN, detected("", "en", 1.0))
        driver.fail(utter(driver))
        converse(driver, DOUBTFUL_JAPANESE)
        assert driver.finals_waiting[0].options.language == "zh"

    def test_a_given_language_is_never_doubted(self) -> None:
        driver = listening(GIVEN)
        converse(driver, SURE_MANDARIN, DOUBTFUL_JAPANESE)
        assert not driver.waiting
        assert finals(driver)[-1] == ("うん", "ja")

    def test_a_given_language_is_remembered_when_it_is_to_be_detected_again(self) -> None:
        driver = listening(GIVEN)
        converse(driver, Hypothesis("好", language="zh"))
        driver.session.options_changed(RecognitionOptions())
        converse(driver, DOUBTFUL_JAPANESE)
        assert driver.finals_waiting[0].options.language == "zh"


class TestPartials:
    WITH_PARTIALS = replace(CONFIG, partials=PartialPolicy(interval_ms=320))

    def test_they_are_told_the_language_of_the_session_as_a_hint(self) -> None:
        driver = listening(self.WITH_PARTIALS)
        driver.push_windows((SPEECH, 12))
        (first,) = driver.partials_waiting
        driver.push_windows((QUIET, 15))
        driver.answer(driver.finals_waiting[0], SURE_MANDARIN)
        driver.push_windows((SPEECH, 12))
        (second,) = driver.partials_waiting
        assert (first.expected_language, second.expected_language) == (None, "zh")
        assert second.options.language is None
        driver.push_windows((QUIET, 15))
        assert driver.finals_waiting[0].expected_language is None

    def test_they_are_told_nothing_when_a_language_is_given(self) -> None:
        driver = listening(replace(self.WITH_PARTIALS, options=RecognitionOptions(language="en")))
        converse(driver, Hypothesis("yes", language="en"))
        driver.push_windows((SPEECH, 12))
        assert driver.partials_waiting[0].expected_language is None


class TestWhatIsOwed:
    """What is owed keeps its audio, and is bounded by the owner of the session."""

    def test_a_doubtful_final_is_owed_until_it_is_its_turn(self) -> None:
        driver = listening()
        first, second, third = utter(driver), utter(driver), utter(driver)
        driver.answer(second, DOUBTFUL_JAPANESE)
        driver.answer(third, SURE_MANDARIN)
        assert driver.session.owed_finals == 2  # the third has only to wait
        assert driver.finals_waiting == [first]
        driver.answer(first, SURE_MANDARIN)
        assert driver.session.owed_finals == 1
        assert len(finals(driver)) == 1
        driver.answer_all()
        assert driver.session.owed_finals == 0
        assert len(finals(driver)) == 3


# --- whatever the order of the answers


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance, what is heard in it, and what is heard in it when it is told a language (``None``: that fails)."""

    windows: int
    first: Hypothesis
    second: Hypothesis | None


LANGUAGES = st.sampled_from(["zh", "en", "ja"])
SPOKEN = st.builds(
    Spoken,
    windows=st.sampled_from([SHORT, LONG]),
    first=st.builds(
        detected,
        text=st.sampled_from(["", "text", "text", "text"]),
        language=LANGUAGES,
        confidence=st.sampled_from([0.1, 0.5, SURE - 0.01, SURE, 1.0]),
    ),
    second=st.one_of(
        st.none(), st.builds(Hypothesis, st.sampled_from(["", "again"]), average_logprob=st.sampled_from([-0.4, -3.0]))
    ),
)
CONVERSATIONS = st.lists(SPOKEN, min_size=1, max_size=6)


class Conversation:
    """A session of which each utterance is heard as it is written."""

    def __init__(self, spoken: list[Spoken], config: SessionConfig) -> None:
        self.spoken = spoken
        self.driver = listening(config)
        self.asked: list[RecognitionRequest] = []
        self._seen: set[str] = set()

    def speak(self, utterance: Spoken) -> None:
        self.driver.push_windows((SPEECH, utterance.windows), (QUIET, 15))

    def answer(self, request: RecognitionRequest) -> None:
        spoken = self.spoken[request.utterance]
        if request.kind is RecognitionKind.PARTIAL:
            self.driver.answer(request, spoken.first)
            return
        self.asked.append(request)
        if request.options.language is None or self.config_gives_language:
            self.driver.answer(request, spoken.first)
        elif spoken.second is None:
            self.driver.fail(request)
        else:
            self.driver.answer(request, replace(spoken.second, language=request.options.language))

    @property
    def config_gives_language(self) -> bool:
        return self.driver.session.config.options.language is not None

    def run(self, chance: Random | None) -> "Conversation":
        """Speaks all of it; answers at once and in order, or any that waits, at any time."""
        for utterance in self.spoken:
            self.speak(utterance)
            while self.driver.waiting and (chance is None or chance.random() < 0.4):
                self.answer_one(chance)
        self.driver.end_input()
        while self.driver.waiting:
            self.answer_one(chance)
        return self

    def answer_one(self, chance: Random | None) -> None:
        waiting = list(self.driver.waiting.values())
        self.answer(waiting[0] if chance is None else chance.choice(waiting))

    @property
    def finals(self) -> list[UtteranceFinalized]:
        return self.driver.events_of(UtteranceFinalized)


@given(CONVERSATIONS, st.booleans(), st.integers(0, 2**32))
def test_what_comes_out_does_not_depend_on_the_order_of_the_answers(
    spoken: list[Spoken], partials: bool, seed: int
) -> None:
    config = replace(CONFIG, partials=PartialPolicy(enabled=partials, interval_ms=250))
    plain = Conversation(spoken, CONFIG).run(None)
    restless = Conversation(spoken, config).run(Random(seed))
    assert [(final.utterance, final.span, final.hypothesis) for final in restless.finals] == [
        (final.utterance, final.span, final.hypothesis) for final in plain.finals
    ]
    assert sorted((request.utterance, request.options.language or "") for request in restless.asked) == sorted(
        (request.utterance, request.options.language or "") for request in plain.asked
    )


@given(CONVERSATIONS, st.sampled_from([None, "zh"]), st.integers(0, 2**32))
def test_each_utterance_has_one_final_and_is_heard_at_most_twice(
    spoken: list[Spoken], language: str | None, seed: int
) -> None:
    config = replace(CONFIG, options=RecognitionOptions(language=language))
    conversation = Conversation(spoken, config).run(Random(seed))
    assert conversation.driver.session.status is SessionStatus.CLOSED
    assert [final.utterance for final in conversation.finals] == list(range(len(spoken)))
    assert len(conversation.driver.events_of(SpeechStarted)) == len(spoken)
    most = 2 if language is None else 1
    assert set(Counter(request.utterance for request in conversation.asked).values()) <= set(range(1, most + 1))
    for request in conversation.asked:
        assert request.span == conversation.finals[request.utterance].span
        assert len(request.span) == conversation.spoken[request.utterance].windows * W + TAIL


@given(CONVERSATIONS, st.integers(0, 2**32))
def test_only_what_is_doubtful_is_heard_again_and_in_the_language_of_those_before(
    spoken: list[Spoken], seed: int
) -> None:
    conversation = Conversation(spoken, CONFIG).run(Random(seed))
    languages_before: set[str] = set()
    again = {request.utterance: request.options.language for request in conversation.asked if request.options.language}
    for index, utterance in enumerate(spoken):
        if index in again:
            first = utterance.first
            assert first.text
            assert first.language_confidence is not None
            assert first.language_confidence < SURE_OF_LANGUAGE
            assert again[index] != first.language
            assert again[index] in languages_before
        languages_before.add(conversation.finals[index].hypothesis.language or "")

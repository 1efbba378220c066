"""The session with ``sentence_silence_ms``: an utterance whose text is a sentence ends sooner."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.events.recognition_events import SpeechEnded, UtteranceFinalized
from asr_service.domain.ports.recognizer import RecognitionKind
from asr_service.domain.value_objects.asr_config import PartialPolicy, SessionConfig
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.domain.value_objects.session_status import SessionStatus
from tests.unit.domain.session_driver import SessionDriver
from tests.unit.domain.situations import CONFIG, ENDPOINTING, PAUSED_SPAN, QUIET, SPEECH, W, paused
from tests.unit.domain.strategies import tracks

WINDOWS = 8  # of sentence_silence_ms; the pause is known after 7, and after 10 any utterance ends
SHORTER = replace(CONFIG, endpointing=replace(ENDPOINTING, sentence_silence_ms=32 * WINDOWS))
TEXTS = ["Yes.", "Yes", "Yes...", "好。", ""]


class TestASentence:
    def test_it_ends_at_a_later_window(self) -> None:
        driver = paused(SHORTER)
        driver.say("Yes.")
        assert driver.outcomes == []
        driver.push_windows((QUIET, 1))
        assert driver.outcomes == [(0, PAUSED_SPAN, "Yes.")]
        assert not driver.waiting

    def test_it_ends_when_the_answer_comes_if_the_silence_has_lasted(self) -> None:
        driver = paused(SHORTER)
        driver.push_windows((QUIET, 2))
        assert driver.events_of(SpeechEnded) == []
        driver.say("Yes.")
        assert driver.outcomes == [(0, PAUSED_SPAN, "Yes.")]
        (ended,) = driver.events_of(SpeechEnded)
        assert (ended.span, ended.forced) == (PAUSED_SPAN, False)

    def test_its_text_is_shown_before_it_ends(self) -> None:
        driver = paused(SHORTER)
        driver.push_windows((QUIET, 2))
        driver.say("Yes.")
        assert driver.partials == [("", "Yes.")]

    def test_the_next_one_goes_on_right_there(self) -> None:
        driver = paused(SHORTER)
        driver.say("Yes.")
        driver.push_windows((QUIET, 1), (SPEECH, 5), (QUIET, 10))
        driver.answer_all()
        assert [index for index, _, _ in driver.outcomes] == [0, 1]

    def test_it_does_not_end_if_the_speaker_goes_on(self) -> None:
        driver = paused(SHORTER)
        driver.say("Yes.")
        driver.push_windows((SPEECH, 5), (QUIET, 9))
        assert driver.outcomes == []
        driver.answer(driver.finals_waiting[0], Hypothesis("Yes. And"))
        assert driver.outcomes == []
        driver.push_windows((QUIET, 1))
        assert [text for _, _, text in driver.outcomes] == ["Yes. And"]

    def test_what_is_no_sentence_waits_for_the_whole_silence(self) -> None:
        for text in ("Yes", "Yes...", "嗯…", ""):
            driver = paused(SHORTER)
            driver.say(text)
            driver.push_windows((QUIET, 2))
            assert driver.outcomes == []
            driver.push_windows((QUIET, 1))
            assert driver.outcomes == [(0, PAUSED_SPAN, text)]

    def test_a_partial_that_is_a_sentence_ends_nothing(self) -> None:
        driver = SessionDriver(config=SHORTER).open()
        driver.push_windows((SPEECH, 10))
        partial = driver.partials_waiting[0]
        driver.push_windows((QUIET, 8))
        driver.answer(partial, Hypothesis("Yes."))
        assert driver.events_of(SpeechEnded) == []

    def test_it_ends_in_a_session_that_is_draining(self) -> None:
        driver = paused(SHORTER)
        driver.receive(2 * W)
        driver.session.end_input()
        driver.say("Yes.")
        driver.listen()
        assert driver.outcomes == [(0, PAUSED_SPAN, "Yes.")]
        assert driver.session.status is SessionStatus.CLOSED

    def test_without_the_option_nothing_changes(self) -> None:
        driver = paused(CONFIG)
        driver.push_windows((QUIET, 2))
        driver.say("Yes.")
        assert driver.events_of(SpeechEnded) == []


@given(tracks(), st.sampled_from([100, 200, 256, 320]), st.booleans(), st.integers(0, 2**32))
def test_whenever_answers_come_each_utterance_has_one_final_made_from_its_own_audio(
    track: list[float], sentence_silence_ms: int, partials: bool, seed: int
) -> None:
    chance = Random(seed)
    endpointing = replace(ENDPOINTING, sentence_silence_ms=sentence_silence_ms)
    driver = SessionDriver(
        track, SessionConfig(endpointing=endpointing, partials=PartialPolicy(enabled=partials))
    ).open()
    spans = {}

    def answer() -> None:
        request = chance.choice(list(driver.waiting.values()))
        text = chance.choice(TEXTS)
        if request.kind is RecognitionKind.FINAL:
            spans[request.utterance] = (request.span, text)
        driver.answer(request, Hypothesis(text))

    while driver.received < len(track) * W:
        driver.push(min(chance.randint(1, 20 * W), len(track) * W - driver.received))
        while driver.waiting and chance.random() < 0.6:
            answer()
    driver.end_input()
    while driver.waiting:
        answer()
    assert driver.session.status is SessionStatus.CLOSED
    finals = [(event.utterance, event.span, event.hypothesis.text) for event in driver.events_of(UtteranceFinalized)]
    assert finals == [(index, *spans[index]) for index in range(len(finals))]
    assert len(finals) == len(driver.events_of(SpeechEnded))

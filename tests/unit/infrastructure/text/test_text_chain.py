"""The steps together: their order, what is shown while an utterance goes on, and what is told at last."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from asr_service.domain.value_objects.asr_config import Casing, Numbers
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Draft, Hypothesis, Timing, Word
from asr_service.infrastructure.text.masking import MaskingStep
from asr_service.infrastructure.text.number_grammars import NumberGrammars
from asr_service.infrastructure.text.numbers_step import NumbersStep
from asr_service.infrastructure.text.punctuation_step import PunctuationStep
from asr_service.infrastructure.text.text_chain import TextChain
from asr_service.infrastructure.text.text_step import Manuscript
from tests.fakes.engines import CAPABILITIES
from tests.fakes.punctuation import BrokenRestorer, FullStopRestorer
from tests.fixtures.manuscripts import BARE_ENGINE, manuscript

MASKING = MaskingStep(["nine eleven", "666", "damn", "九一八"], optional=True)
CHAIN = TextChain.of(MASKING, NumbersStep(NumberGrammars()), PunctuationStep(FullStopRestorer()))
NO_STEPS = TextChain.of(MaskingStep(optional=False))


def told(text: str, asked: Manuscript) -> str:
    return CHAIN.of_final(Hypothesis(text), asked).text


def test_by_default_a_hypothesis_stays_as_it_is() -> None:
    hypothesis = Hypothesis("twenty cats. AND one", language="en")
    for chain in (CHAIN, NO_STEPS):
        assert chain.of_final(hypothesis, manuscript()) is hypothesis
        assert chain.of_partial(hypothesis, manuscript()) is hypothesis


def test_punctuation_comes_before_capitals_and_numbers_before_masks() -> None:
    asked = manuscript(numbers=Numbers.WRITTEN, casing=Casing.SENTENCE, engine=BARE_ENGINE)
    assert told("DAMN i paid twenty dollars for SIX HUNDRED SIXTY SIX", asked) == "**** I paid $20 for ***."


def test_no_listed_word_escapes_in_digits() -> None:
    assert told("on nine eleven for ten dollars", manuscript(numbers=Numbers.WRITTEN)) == "on **** ****** for $10"
    assert told("九一八以后二十年", manuscript("zh", numbers=Numbers.WRITTEN)) == "***以后20年"


def test_engines_that_punctuate_are_left_alone() -> None:
    assert told("twenty cats", manuscript()) == "twenty cats"
    assert told("twenty cats", manuscript(engine=replace(CAPABILITIES, punctuation=False))) == "twenty cats."
    assert told("vingt chats", manuscript("fr", engine=BARE_ENGINE)) == "vingt chats"


def test_a_restorer_that_fails_costs_no_text_and_tells_none() -> None:
    chain = TextChain.of(MASKING, punctuation=PunctuationStep(BrokenRestorer()))
    with capture_logs() as lines:
        final = chain.of_final(Hypothesis("twenty cats"), manuscript(engine=BARE_ENGINE))
    assert final.text == "twenty cats"
    assert lines == [{"event": "punctuation_failed", "language": "en", "error": "RuntimeError", "log_level": "warning"}]


def test_the_draft_of_a_final_has_what_the_engine_wrote_and_what_may_be_shown() -> None:
    final = CHAIN.of_final(Hypothesis("damn twenty cats or nine"), manuscript(numbers=Numbers.WRITTEN))
    assert final.text == "**** 20 cats or nine"
    assert final.draft == Draft(recognized="damn twenty cats or nine", shown="**** twenty cats or")
    assert final.recognized_text == "damn twenty cats or nine"
    assert final.shown_text == "**** twenty cats or"


def test_a_partial_is_masked_and_keeps_its_numbers() -> None:
    partial = CHAIN.of_partial(Hypothesis("DAMN twenty five"), manuscript(numbers=Numbers.WRITTEN, casing=Casing.LOWER))
    assert partial.text == partial.shown_text == "**** twenty five"
    assert partial.recognized_text == "DAMN twenty five"


def test_the_script_counts_as_the_engines_own() -> None:
    partial = CHAIN.of_partial(Hypothesis("電燈九一"), manuscript("zh"))
    assert partial.draft == Draft(recognized="电灯九一", shown="电灯")
    assert CHAIN.of_partial(Hypothesis("電燈"), manuscript("zh")) == Hypothesis("电灯")


def test_words_go_with_the_text() -> None:
    texts = ("DAMN", "twenty", "five", "cats")
    words = tuple(Word(text, SampleSpan(number, number + 1)) for number, text in enumerate(texts))
    heard = Hypothesis(" ".join(texts), words, Timing.ALIGNED)
    final = CHAIN.of_final(heard, manuscript(numbers=Numbers.WRITTEN, casing=Casing.SENTENCE, engine=BARE_ENGINE))
    assert [(word.text, word.span.start, word.span.end) for word in final.words] == [
        ("****", 0, 1),
        ("25", 1, 3),
        ("cats.", 3, 4),
    ]


@pytest.mark.parametrize(
    ("asked", "takes_time"),
    [
        (manuscript(), False),
        (manuscript(casing=Casing.LOWER, mask=True), False),
        (manuscript(numbers=Numbers.WRITTEN), True),
        (manuscript("fr", numbers=Numbers.WRITTEN), False),
        (manuscript(engine=BARE_ENGINE), True),
    ],
)
def test_only_numbers_and_punctuation_take_a_thread(asked: Manuscript, takes_time: bool) -> None:
    assert CHAIN.takes_time(asked) is takes_time


def test_the_features_are_those_of_the_steps() -> None:
    assert CHAIN.features.written_numbers == CHAIN.features.spoken_numbers == {"en", "zh"}
    assert CHAIN.features.punctuation == {"en", "zh"}
    assert (CHAIN.features.masking, CHAIN.features.unmasking) == (True, True)
    bare = NO_STEPS.features
    assert not bare.written_numbers | bare.spoken_numbers | bare.punctuation
    assert (bare.masking, bare.unmasking, bare.scripts, bare.casing) == (False, True, True, True)


WORDS = st.sampled_from(["nine", "eleven", "damn", "damned", "five.", "CATS", "and"])


@given(st.lists(WORDS), st.lists(WORDS), st.sampled_from(Casing))
def test_what_is_shown_is_the_beginning_of_what_is_shown_later(
    beginning: list[str], more: list[str], casing: Casing
) -> None:
    asked = manuscript(casing=casing, numbers=Numbers.WRITTEN)
    first = CHAIN.of_partial(Hypothesis(" ".join(beginning)), asked)
    second = CHAIN.of_partial(Hypothesis(" ".join([*beginning, *more])), asked)
    assert second.shown_text.startswith(first.shown_text)

"""Capital letters stand where they are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.domain.value_objects.asr_config import Casing
from asr_service.infrastructure.text.casing import CasingStep
from tests.fixtures.manuscripts import BARE_ENGINE, manuscript

STEP = CasingStep()


@pytest.mark.parametrize(
    ("text", "casing", "expected"),
    [
        ("In London, I said NO.", Casing.LOWER, "in london, i said no."),
        ("ΟΔΟΣ İstanbul ẞ", Casing.LOWER, "οδοσ İstanbul ß"),
        ("hello there. how is London? fine! yes", Casing.SENTENCE, "Hello there. How is London? Fine! Yes"),
        ('"hello," he said. "so long."', Casing.SENTENCE, '"Hello," he said. "So long."'),
        ("3.5 apples. 10 pears. ok", Casing.SENTENCE, "3.5 apples. 10 pears. Ok"),
        ("ŉ. ß. été", Casing.SENTENCE, "ŉ. ß. Été"),
        ("你好。hello", Casing.SENTENCE, "你好。hello"),
        ("...", Casing.SENTENCE, "..."),
    ],
)
def test_an_engine_that_knows_capitals_keeps_those_of_names(text: str, casing: Casing, expected: str) -> None:
    assert STEP.of_whole(text, manuscript(casing=casing)) == expected
    assert STEP.is_wanted(manuscript(casing=casing))


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("HELLO THERE. I SAID I'M IN, I.E. HERE", "en", "Hello there. I said I'm in, i.e. here"),
        ("and i", "en", "And I"),
        ("JE SUIS LA. I", "fr", "Je suis la. I"),
    ],
)
def test_an_engine_that_knows_none_says_nothing_about_names(text: str, language: str, expected: str) -> None:
    asked = manuscript(language, casing=Casing.SENTENCE, engine=BARE_ENGINE)
    assert STEP.of_whole(text, asked) == expected


def test_as_recognized_there_is_nothing_to_do() -> None:
    assert not STEP.is_wanted(manuscript())


@given(st.text(), st.text(), st.sampled_from(Casing), st.booleans())
def test_more_words_change_nothing_that_is_there(text: str, more: str, casing: Casing, bare: bool) -> None:
    asked = manuscript(casing=casing, engine=BARE_ENGINE) if bare else manuscript(casing=casing)
    written = STEP.of_beginning(text, asked)
    assert STEP.of_beginning(f"{text} {more}", asked).startswith(written)
    assert len(written) == len(text)
    assert STEP.of_whole(written, asked) == written

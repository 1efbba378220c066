"""What everything that restores punctuation promises, the fake included."""

import unicodedata

import pytest

from asr_service.domain.ports.punctuation_restorer import PunctuationRestorer
from tests.fakes.punctuation import FullStopRestorer

TEXTS = {"en": "how are you i am fine 25", "zh": "你好吗我很好25"}


@pytest.fixture(params=[FullStopRestorer])
def restorer(request: pytest.FixtureRequest) -> PunctuationRestorer:
    made: PunctuationRestorer = request.param()
    return made


def _letters(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character)[0] in "LN")


def test_it_says_what_it_knows(restorer: PunctuationRestorer) -> None:
    assert restorer.languages
    assert restorer.languages <= TEXTS.keys()


def test_letters_digits_and_their_order_stay(restorer: PunctuationRestorer) -> None:
    for language in restorer.languages:
        restored = restorer.restore(TEXTS[language], language)
        assert _letters(restored) == _letters(TEXTS[language])
        assert restored != TEXTS[language]

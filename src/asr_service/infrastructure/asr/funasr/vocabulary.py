"""What the tokens of a model tell about it; its configuration does not say what languages it was trained on."""

import re
from collections.abc import Iterable

_HAN = re.compile("[\u4e00-\u9fff]")
_DIGIT = re.compile("[0-9]")


def languages_of(tokens: Iterable[str]) -> frozenset[str]:
    """Chinese, if there is a Chinese character among the tokens, else English.

    Chinese models know English words too, for the sake of those inside of Chinese sentences.
    """
    return frozenset({"zh"}) if any(_HAN.search(token) for token in tokens) else frozenset({"en"})


def has_digits(tokens: Iterable[str]) -> bool:
    """Whether a model can write numbers in digits."""
    return any(_DIGIT.search(token) for token in tokens)

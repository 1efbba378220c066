"""Texts from the tokens of a model's vocabulary, and from the words that it has timed."""

import importlib
from collections.abc import Sequence
from itertools import pairwise


def spell(tokens: Sequence[str]) -> str:
    """The text of all tokens: Chinese without spaces, words of Latin letters put together from their parts.

    The last word is left out while its end is missing.
    """
    written, _ = importlib.import_module("funasr.utils.postprocess_utils").sentence_postprocess(list(tokens))
    return str(written)


def join(words: Sequence[str]) -> str:
    """Puts words together as ``spell`` does: with a space between two words of letters, and none beside Chinese and digits."""
    spaced = [
        f" {word}" if _ends_in_letter(last) and _begins_with_letter(word) else word for last, word in pairwise(words)
    ]
    return "".join([*words[:1], *spaced])


def _ends_in_letter(word: str) -> bool:
    return _is_letter(word[-1:])


def _begins_with_letter(word: str) -> bool:
    return _is_letter(word[:1])


def _is_letter(character: str) -> bool:
    return character.isalpha() and not "\u4e00" <= character <= "\u9fff"

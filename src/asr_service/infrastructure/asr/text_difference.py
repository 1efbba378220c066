"""How far two texts of the same speech differ. Pure."""

import re
import unicodedata
from difflib import SequenceMatcher

# A unit: a word, or a character where words are not written apart (Han, kana). Punctuation and case do not count.
_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNIT = re.compile(rf"[{_WIDE}]|(?:(?![{_WIDE}_])\w)+")
_INSIDE_WORDS = re.compile("['’]")


def text_difference(first: str, second: str) -> float:
    """Share of the words, or characters, that the texts do not have in common: 0 for equal texts, 1 for quite different ones.

    ``1 - 2 * common / (both together)``, by the longest common blocks (``difflib``). Unlike an error rate it treats both
    alike: neither is known to be right.
    """
    return 1.0 - SequenceMatcher(None, _units(first), _units(second), autojunk=False).ratio()


def _units(text: str) -> list[str]:
    normalized = unicodedata.normalize("NFKC", text).casefold()
    return _UNIT.findall(_INSIDE_WORDS.sub("", normalized))

"""Numbers in digits, and the signs that are said with them."""

import unicodedata

_NUMBER_CATEGORIES = frozenset({"Nd", "No", "Sc"})  # digits of any script, ² and ½, currencies; not 〇
_SIGNS = frozenset("%‰℃℉°％")


def writes_number(text: str) -> bool:
    """Whether a text holds a digit, a currency sign or a sign of percents or degrees; 三 and 〇 are words.

    A piece of a character in UTF-8 is none of these: what it would become is not known yet.
    """
    return any(unicodedata.category(character) in _NUMBER_CATEGORIES or character in _SIGNS for character in text)

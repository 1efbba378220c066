"""Which parts of English text are numbers: what is left to the grammars, and what they would spoil."""

import re
from collections.abc import Callable, Iterator
from typing import Final

_UNITS: Final = "one|two|three|four|five|six|seven|eight|nine"
_TENS: Final = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_TEENS: Final = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_SCALES: Final = "hundred|thousand|million|billion|trillion"
_SMALL_ORDINALS: Final = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth"
_ORDINALS: Final = (
    "eleventh|twelfth|(?:thir|four|fif|six|seven|eigh|nine)teenth|(?:twen|thir|for|fif|six|seven|eigh|nine)tieth"
    "|hundredth|thousandth|millionth"
)
_MONTHS: Final = "january|february|march|april|may|june|july|august|september|october|november|december"
_CARDINALS: Final = f"zero|{_UNITS}|{_TEENS}|{_TENS}|{_SCALES}"

_NUMBER_WORD: Final = re.compile(rf"\b(?:{_CARDINALS}|{_SMALL_ORDINALS}|{_ORDINALS})\b", re.IGNORECASE)
_CLAUSE: Final = re.compile(r"[\w'’\-]+(?: +[\w'’\-]+)*")
_MERIDIEM: Final = re.compile(rf"\b({_CARDINALS}) +([ap])\. ?m\.?(?!\w)", re.IGNORECASE)
_HYPHENATED: Final = re.compile(rf"\b({_TENS})-({_UNITS}|{_SMALL_ORDINALS})\b", re.IGNORECASE)
_A_HUNDRED: Final = re.compile(rf"(?<!\bhalf )\ba ({_SCALES})\b", re.IGNORECASE)
# "the first time", "a second": words rather than numbers, unless a month or tens say otherwise.
_LONE_ORDINAL: Final = re.compile(
    rf"(?P<before>\b(?:{_MONTHS}|{_TENS}|{_SCALES})(?: and | |-))?\b(?:{_SMALL_ORDINALS})\b(?P<after> of (?:{_MONTHS})\b)?",
    re.IGNORECASE,
)
_SPACE_BEFORE_SIGN: Final = re.compile(r"(?<=\d) +(?=%)")
# A piece without spaces, hyphens, quotation marks and brackets; not what is no number, such as 1990s.
_DIGIT_TOKEN: Final = re.compile(r"(?!\d+s\b)[^\s\"“”‘’'()\[\]\-]*\d[^\s\"“”‘’'()\[\]\-]*")


def numbers_written(text: str, grammar: Callable[[str], str]) -> str:
    """The text with its numbers in digits. Clauses without numbers, and everything between clauses, stay as they are.

    Args:
        text: English.
        grammar: Rewrites a clause without punctuation.
    """
    if not _NUMBER_WORD.search(text):
        return text
    text = _MERIDIEM.sub(r"\1 \2 m", text)
    return _CLAUSE.sub(lambda clause: "".join(_clause_written(clause[0], grammar)), text)


def numbers_spoken(text: str, grammar: Callable[[str], str]) -> str:
    """The text with its numbers in words: what holds a digit is read, with the sign that is written to it."""
    return _DIGIT_TOKEN.sub(lambda token: _token_spoken(token[0], grammar), text)


def _clause_written(clause: str, grammar: Callable[[str], str]) -> Iterator[str]:
    position = 0
    for ordinal in _LONE_ORDINAL.finditer(clause):
        if ordinal["before"] or ordinal["after"]:
            continue
        yield _part_written(clause[position : ordinal.start()], grammar)
        yield ordinal[0]
        position = ordinal.end()
    yield _part_written(clause[position:], grammar)


def _part_written(part: str, grammar: Callable[[str], str]) -> str:
    """A part of a clause; its spaces at either end stay."""
    text = part.strip()
    if not _NUMBER_WORD.search(text):
        return part
    before, after = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
    prepared = _A_HUNDRED.sub(r"one \1", _HYPHENATED.sub(r"\1 \2", " ".join(text.split())))
    prepared = _NUMBER_WORD.sub(lambda word: word[0].lower(), prepared)
    written = grammar(prepared)
    if written == prepared:
        return part  # as it was, capitals and hyphens too
    if text[0].isupper() and written[:1].isalpha():
        written = written[0].upper() + written[1:]
    return before + _SPACE_BEFORE_SIGN.sub("", written) + after


def _token_spoken(token: str, grammar: Callable[[str], str]) -> str:
    number = token.rstrip(".,;:!?")
    return grammar(number) + token[len(number) :]

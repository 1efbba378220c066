"""Repetition loops: how to see that a decoder got stuck, and how to take the loop out.

Texts are compared unit by unit: a word where words are written apart, a character where they are not, a digit in numbers.
"""

import re
import zlib
from dataclasses import dataclass

MAX_COMPRESSION_RATIO = 2.4  # openai/whisper, transcribe.py: compression_ratio_threshold
_SHORTEST_PERIOD_UNITS = 3  # shorter ones are said on purpose: "no no no no", 哈哈哈哈
_MIN_REPEATS = 4
_MIN_DOUBTFUL_REPEATS = 3
_MIN_SHORT_PERIOD_UNITS = 12  # … but not for as long as this, since it holds three units four times
_MAX_NUMBER_UNITS = 34  # an IBAN has so many; phone and card numbers have fewer

# Scripts that are written without spaces: Thai, Lao, Myanmar, Khmer, kana, Han.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNIT = re.compile(rf"\d|[{UNSPACED}]|[^\W\d{UNSPACED}]+(?:['’][^\W\d{UNSPACED}]+)*")
_NUMBER_WORDS = frozenset(
    {"zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple"}
    | set("零〇一幺二两兩三四五六七八九")
)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a text and where it stands in it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A stretch of text that says the same thing over and over: what repeats its first occurrence."""

    start: int
    end: int


def units(text: str) -> list[Unit]:
    """The units of a text without its punctuation, in lower case."""
    return [Unit(match.group().casefold(), match.start(), match.end()) for match in _UNIT.finditer(text)]


def compression_ratio(text: str) -> float:
    """How far the text shrinks under zlib, in UTF-8; 0 for an empty text."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0


def is_repetitive(text: str) -> bool:
    """Whether the text looks like a decoder that got stuck. Numbers may repeat their digits."""
    if find_loop(text) is not None:
        return True
    said = units(text)
    numbers = sum(_is_number(unit.text) for unit in said)
    return 2 * numbers <= len(said) and compression_ratio(text) > MAX_COMPRESSION_RATIO


def says_one_thing(text: str) -> bool:
    """Whether the text is one phrase three times or more, for twelve units or more, but for its first unit at most.

    People do say such things; so this counts only where there is hardly any evidence of speech.
    """
    said = units(text)
    if len(said) < _MIN_SHORT_PERIOD_UNITS:
        return False
    return any(
        _covered(said, start, period) == len(said) - start
        for start in (0, 1)
        for period in range(1, (len(said) - start) // _MIN_DOUBTFUL_REPEATS + 1)
    )


def find_loop(text: str) -> Loop | None:
    """The first loop, or ``None``.

    Three units or more are one when they are said four times in a row, one or two when they go on for twelve units, and
    numbers when they are longer than any that people read out.
    """
    said = units(text)
    for start in range(len(said)):
        for period in range(1, (len(said) - start) // _MIN_REPEATS + 1):
            covered = _covered(said, start, period)
            if _is_loop(said, start, period, covered):
                return _loop(text, said, start, period, covered)
    return None


def without_loops(text: str) -> str:
    """The text with each loop said once. A text without loops stays as it is."""
    while (loop := find_loop(text)) is not None:
        text = text[: loop.start] + text[loop.end :]
    return text


def _covered(said: list[Unit], start: int, period: int) -> int:
    """How many units from ``start`` on repeat those ``period`` before them, the first occurrence included."""
    position = start + period
    while position < len(said) and said[position].text == said[position - period].text:
        position += 1
    return position - start


def _is_loop(said: list[Unit], start: int, period: int, covered: int) -> bool:
    if covered < period * _MIN_REPEATS:
        return False
    if all(_is_number(unit.text) for unit in said[start : start + period]):
        return covered > _MAX_NUMBER_UNITS
    return period >= _SHORTEST_PERIOD_UNITS or covered >= _MIN_SHORT_PERIOD_UNITS


def _loop(text: str, said: list[Unit], start: int, period: int, covered: int) -> Loop:
    first_end = said[start + period - 1].end
    if start + covered == len(said):  # a cut-off repeat at the very end belongs to the loop
        return Loop(first_end, len(text))
    return Loop(first_end, said[start + covered - covered % period - 1].end)


def _is_number(unit: str) -> bool:
    return unit.isdigit() or unit in _NUMBER_WORDS

"""Which parts of Chinese text are numbers: what is left to the grammars, and what they would write as nobody does."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from asr_service.infrastructure.text.chinese_script import converted

_DIGITS: Final = "零〇一二三四五六七八九"
_NUMERALS: Final = f"{_DIGITS}两幺十百千万亿"
_VALUES: Final = {**{digit: value - 1 for value, digit in enumerate(_DIGITS) if value}, "零": 0, "两": 2}
_MONTH: Final = "十[一二]?|[一二三四五六七八九]"
_DAY: Final = "三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九]"
_NOON: Final = "凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|半夜"
_HOUR: Final = "二十[一二三四]?|十[一二三四五六七八九]?|[零一二两三四五六七八九]"
_MINUTE: Final = "零[一二三四五六七八九]|[二三四五]?十[一二三四五六七八九]?|[一二三四五六七八九]"

_NUMERAL: Final = re.compile(f"[{_NUMERALS}]")
_RUN: Final = re.compile(r"[〇\u4e00-\u9fff0-9]+")
# The grammars write dates as 2025/03/05, times as 3:30p.m., 十几 as 10几, and the end of counting to 十 as 80~90.
_OWN: Final = re.compile(
    rf"(?P<vague>[{_NUMERALS}]*几[{_NUMERALS}]*|[一二三四五六七八九]{{3,}}十)"
    rf"|(?P<date>(?:[{_DIGITS}]{{4}}年(?=(?:{_MONTH})月))?(?:{_MONTH})月(?:(?:{_DAY})[日号])?)"
    rf"|(?P<clock>(?:{_NOON})(?:{_HOUR})点(?:半|[一三]刻|(?:{_MINUTE})分?)?"
    rf"|(?<![{_NUMERALS}])(?:{_HOUR})点(?:半|[一三]刻|(?:{_MINUTE})分)(?!之))"
)
_CLOCK: Final = re.compile(rf"(?P<noon>{_NOON})?(?P<hour>[{_NUMERALS}]+)点(?P<minute>.*)")
# A piece without punctuation; the commas of 1,234,567 belong to it.
_PIECE: Final = r"(?:[^\s，。！？；、：,!?;\"\\]|(?<=\d),(?=\d{3}))*"
_DIGITS_WITH_SIGNS: Final = re.compile(rf"{_PIECE}\d{_PIECE}")


def numbers_written(text: str, grammar: Callable[[str], str]) -> str:
    """The text with its numbers in digits. Runs of characters without numbers, and everything between runs, stay.

    Args:
        text: Chinese, in either script.
        grammar: Rewrites a run of simplified characters without punctuation and spaces.
    """
    return _RUN.sub(lambda run: _written_in_its_script(run[0], grammar), text)


def numbers_spoken(text: str, grammar: Callable[[str], str]) -> str:
    """The text with its numbers in words: each piece between punctuation that holds a digit is read as a whole."""
    return _DIGITS_WITH_SIGNS.sub(lambda piece: _in_its_script(piece[0], grammar), text)


def _written_in_its_script(run: str, grammar: Callable[[str], str]) -> str:
    return _in_its_script(run, lambda plain: "".join(_run_written(plain, grammar)))


def _in_its_script(text: str, rewrite: Callable[[str], str]) -> str:
    """The text rewritten in simplified characters, and back in traditional ones if it was in these."""
    plain = converted(text, "t2s")
    rewritten = rewrite(plain)
    if rewritten == plain:
        return text
    return rewritten if plain == text else converted(rewritten, "s2t")


def _run_written(run: str, grammar: Callable[[str], str]) -> Iterator[str]:
    position = 0
    for own in _OWN.finditer(run):
        yield _left_to_grammar(run[position : own.start()], grammar)
        if own["date"]:
            yield re.sub(f"[{_NUMERALS}]+", lambda number: str(_value(number[0])), own["date"])
        elif own["clock"]:
            yield _clock(own["clock"])
        else:
            yield own[0]
        position = own.end()
    yield _left_to_grammar(run[position:], grammar)


def _left_to_grammar(part: str, grammar: Callable[[str], str]) -> str:
    return grammar(part) if _NUMERAL.search(part) else part


def _clock(text: str) -> str:
    """A time of day, for example 下午3:30."""
    found = _CLOCK.fullmatch(text)
    assert found is not None
    noon, hour, minute = found["noon"] or "", _value(found["hour"]), found["minute"].removesuffix("分")
    if not minute:
        return f"{noon}{hour}点"
    minutes = {"半": 30, "一刻": 15, "三刻": 45}.get(minute)
    return f"{noon}{hour}:{_value(minute) if minutes is None else minutes:02}"


def _value(number: str) -> int:
    """A number below a hundred, or one that is said digit by digit."""
    if "十" not in number:
        return int("".join(str(_VALUES[digit]) for digit in number))
    tens, _, units = number.partition("十")
    return 10 * (_VALUES[tens] if tens else 1) + (_VALUES[units] if units else 0)

"""Chinese in the script that was asked for."""

from functools import cache
from typing import ClassVar

from opencc import OpenCC

from asr_service.domain.value_objects.language import Script
from asr_service.infrastructure.text.text_step import Manuscript

_MANDARIN = "zh"
_CANTONESE = "yue"


class ScriptStep:
    """Converts Chinese; other languages stay as they are, Japanese included.

    Cantonese is written in traditional characters. Simplified ones are the default of every session, hence no wish about
    Cantonese: its text is converted only when traditional ones are asked for.

    Characters are converted in their context, 发 into 發 or 髮, so the last of a beginning may still change.
    """

    characterwise: ClassVar[bool] = True
    quick: ClassVar[bool] = True

    def __init__(self) -> None:
        for conversion in ("t2s", "s2t"):
            _converter(conversion).convert("汉")  # it is loaded now, in 40 ms, and not while people speak

    def is_wanted(self, manuscript: Manuscript) -> bool:
        return _conversion(manuscript.language, manuscript.options.script) is not None

    def of_whole(self, text: str, manuscript: Manuscript) -> str:
        conversion = _conversion(manuscript.language, manuscript.options.script)
        return text if conversion is None else converted(text, conversion)

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        return self.of_whole(text, manuscript)


def converted(text: str, conversion: str) -> str:
    """The text after a conversion of OpenCC, for instance ``t2s``. A lone surrogate, which it does not take, stops it."""
    try:
        return str(_converter(conversion).convert(text))
    except UnicodeEncodeError:
        return text


def _conversion(language: str | None, script: Script) -> str | None:
    if language in {_MANDARIN, _CANTONESE} and script is Script.TRADITIONAL:
        return "s2t"
    if language == _MANDARIN and script is Script.SIMPLIFIED:
        return "t2s"
    return None


@cache
def _converter(conversion: str) -> OpenCC:
    return OpenCC(conversion)

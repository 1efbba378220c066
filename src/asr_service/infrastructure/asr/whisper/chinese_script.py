"""Chinese in the script that was asked for: Whisper writes simplified or traditional characters as it pleases."""

from collections.abc import Sequence
from functools import cache

from opencc import OpenCC

from asr_service.domain.value_objects.language import Script

_MANDARIN = "zh"
_CANTONESE = "yue"


def in_script(text: str, language: str | None, script: Script) -> str:
    """The text in the script that was asked for; other languages stay as they are, Japanese included.

    Cantonese is written in traditional characters. Simplified ones are the default of every session, hence no wish about
    Cantonese: its text is converted only when traditional ones are asked for.
    """
    conversion = _conversion(language, script)
    return text if conversion is None else str(_converter(conversion).convert(text))


def words_in_script(texts: Sequence[str], language: str | None, script: Script) -> list[str]:
    """The same for the words of one text, converted in their context: 发 is 發 or 髮, depending on its neighbours."""
    together = in_script("".join(texts), language, script)
    if len(together) != sum(map(len, texts)):
        return [in_script(text, language, script) for text in texts]
    converted = []
    position = 0
    for text in texts:
        converted.append(together[position : position + len(text)])
        position += len(text)
    return converted


def simplified(text: str) -> str:
    """The text in simplified characters, to compare texts whatever script they are in."""
    return str(_converter("t2s").convert(text))


def _conversion(language: str | None, script: Script) -> str | None:
    if language in {_MANDARIN, _CANTONESE} and script is Script.TRADITIONAL:
        return "s2t"
    if language == _MANDARIN and script is Script.SIMPLIFIED:
        return "t2s"
    return None


@cache
def _converter(conversion: str) -> OpenCC:
    return OpenCC(conversion)

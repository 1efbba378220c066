"""Chinese texts in one script, to compare them: Whisper writes simplified or traditional characters as it pleases."""

from functools import cache

from opencc import OpenCC


def simplified(text: str) -> str:
    """The text in simplified characters."""
    return str(_converter().convert(text))


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")

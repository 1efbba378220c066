"""Which part of a growing text will not change any more.

LocalAgreement-2 (Macháček, Dabre, Bojar, "Turning Whisper into Real-Time Transcription System", 2023, §3): what two
hypotheses in a row agree on, from the start, is stable. Texts are compared unit by unit: a word where words are written
apart, a character where they are not.
"""

import re
from dataclasses import dataclass

# One unit: a CJK character (Han, kana, hangul, full-width forms), or a run of other visible characters, each with the
# space before it, so that joining the units gives the text back.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_PUNCTUATION = r".,!?;:\"'()\[\]…—\-，。！？；：、“”‘’（）《》"
_UNIT = re.compile(
    rf"\s*(?:[{_CJK}]|[{_PUNCTUATION}]|[^\s{_CJK}{_PUNCTUATION}]+(?:['’\-.][^\s{_CJK}{_PUNCTUATION}]+)*)|\s*\S"
)
_ONLY_PUNCTUATION = re.compile(rf"\s*[{_PUNCTUATION}]+")


@dataclass(frozen=True, slots=True)
class Agreement:
    """A text in two parts, to be concatenated as they are."""

    stable: str
    volatile: str


class Stabilizer:
    """Follows the hypotheses of one utterance."""

    def __init__(self) -> None:
        self._last: list[str] = []
        self._stable: list[str] = []

    @property
    def stable(self) -> str:
        return "".join(self._stable)

    def observe(self, text: str) -> Agreement:
        """Takes the next hypothesis. What was stable stays, even if this hypothesis contradicts it."""
        units = _UNIT.findall(text)
        agreed = _common_prefix(self._last, units)
        while agreed and _ONLY_PUNCTUATION.fullmatch(agreed[-1]):
            agreed.pop()  # the full stop at the end of a partial is a guess that nothing follows
        if len(agreed) > len(self._stable):
            self._stable += agreed[len(self._stable) :]
        self._last = units
        return Agreement("".join(self._stable), "".join(units[len(self._stable) :]))


def _common_prefix(first: list[str], second: list[str]) -> list[str]:
    prefix = []
    for one, other in zip(first, second, strict=False):
        if one.casefold() != other.casefold():
            break
        prefix.append(other)
    return prefix

"""Numbers in digits or in words, whatever the engine wrote."""

import re
from collections.abc import Callable
from typing import ClassVar, Final, Literal, Protocol, TypeAlias

from asr_service.domain.value_objects.asr_config import Numbers
from asr_service.infrastructure.text import chinese_numbers, english_numbers
from asr_service.infrastructure.text.chinese_script import ScriptStep
from asr_service.infrastructure.text.masking import MASK
from asr_service.infrastructure.text.text_step import Manuscript

Operator: TypeAlias = Literal["itn", "tn"]
"""``itn`` writes numbers in digits, ``tn`` in words, as WeTextProcessing calls it."""

LANGUAGES: Final = frozenset({"en", "zh"})
_REWRITE: Final[dict[tuple[str, Operator], Callable[[str, Callable[[str], str]], str]]] = {
    ("en", "itn"): english_numbers.numbers_written,
    ("en", "tn"): english_numbers.numbers_spoken,
    ("zh", "itn"): chinese_numbers.numbers_written,
    ("zh", "tn"): chinese_numbers.numbers_spoken,
}
_MASKED: Final = re.compile(rf"({re.escape(MASK)}+)")


class Grammars(Protocol):
    """Rewrites numbers."""

    def rewrite(self, text: str, language: str, operator: Operator) -> str:
        """The text after a grammar; as it was, if the grammar cannot read it. Never fails."""
        ...


class NumbersStep:
    """Rewrites the numbers of finals. Those of partials stay: of ``twenty`` nobody knows yet whether ``five`` follows.

    Takes a millisecond or two for each clause that has numbers, and holds Python's lock meanwhile: hence a thread, in which
    a long text keeps the event loop waiting for no more than the interpreter's switch interval at a time.
    """

    characterwise: ClassVar[bool] = False
    quick: ClassVar[bool] = False

    def __init__(self, grammars: Grammars) -> None:
        self._grammars = grammars
        self._script = ScriptStep()  # the grammars know simplified Chinese

    def is_wanted(self, manuscript: Manuscript) -> bool:
        if manuscript.language not in LANGUAGES:
            return False
        numbers = manuscript.options.numbers
        return numbers is Numbers.WRITTEN or (numbers is Numbers.SPOKEN and not manuscript.engine.spoken_numbers)

    def of_whole(self, text: str, manuscript: Manuscript) -> str:
        parts = _MASKED.split(text)
        return "".join(part if part.startswith(MASK) else self._rewritten(part, manuscript) for part in parts)

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        return text

    def _rewritten(self, text: str, manuscript: Manuscript) -> str:
        language = manuscript.language
        assert language is not None
        operator: Operator = "itn" if manuscript.options.numbers is Numbers.WRITTEN else "tn"
        rewritten = _REWRITE[language, operator](text, lambda part: self._grammars.rewrite(part, language, operator))
        return self._script.of_whole(rewritten, manuscript)

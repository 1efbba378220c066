"""Punctuation for engines that write none."""

from typing import ClassVar

from asr_service.domain.ports.punctuation_restorer import PunctuationRestorer
from asr_service.infrastructure.text.text_step import Manuscript


class PunctuationStep:
    """Has the punctuation of finals restored; engines that write their own are left alone.

    Partials get none: a mark depends on the words after it.
    """

    characterwise: ClassVar[bool] = False
    quick: ClassVar[bool] = False

    def __init__(self, restorer: PunctuationRestorer) -> None:
        self._restorer = restorer

    @property
    def languages(self) -> frozenset[str]:
        return self._restorer.languages

    def is_wanted(self, manuscript: Manuscript) -> bool:
        return not manuscript.engine.punctuation and manuscript.language in self._restorer.languages

    def of_whole(self, text: str, manuscript: Manuscript) -> str:
        assert manuscript.language is not None
        return self._restorer.restore(text, manuscript.language)

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        return text

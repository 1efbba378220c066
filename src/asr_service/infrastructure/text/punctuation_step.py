"""Punctuation for engines that write none."""

from typing import ClassVar

import structlog

from asr_service.domain.ports.punctuation_restorer import PunctuationRestorer
from asr_service.infrastructure.text.text_step import Manuscript

log = structlog.get_logger(__name__)


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
        """The text with punctuation; without, if the restorer fails, of whose exceptions nothing is known here."""
        assert manuscript.language is not None
        try:
            return self._restorer.restore(text, manuscript.language)
        except Exception as error:
            log.warning("punctuation_failed", language=manuscript.language, error=type(error).__name__)
            return text

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        return text

"""WeTextProcessing's grammars of numbers, read by its small runtime, ``wetext``; of the optional extra ``text``."""

from threading import Lock

import structlog
from wetext import Normalizer

from asr_service.infrastructure.text.numbers_step import LANGUAGES, Operator

log = structlog.get_logger(__name__)


class NumberGrammars:
    """The grammars of each language. One text at a time: whether they may be shared by threads is written nowhere."""

    def __init__(self) -> None:
        operators: tuple[Operator, ...] = ("itn", "tn")
        self._normalizers = {
            (language, operator): Normalizer(lang=language, operator=operator)
            for language in LANGUAGES
            for operator in operators
        }
        self._lock = Lock()

    def rewrite(self, text: str, language: str, operator: Operator) -> str:
        """The text after a grammar; as it was, if the grammar cannot read it.

        The grammars fail on some texts, such as those with quotation marks, by exceptions of many kinds, bare assertions
        among them: hence all are caught. A number in the wrong form is better than a lost utterance.
        """
        try:
            with self._lock:
                return str(self._normalizers[language, operator].normalize(text))
        except Exception as error:
            log.debug("number_grammar_failed", language=language, operator=operator, error=type(error).__name__)
            return text

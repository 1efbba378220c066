"""Punctuation for texts of engines that write none."""

from typing import Protocol


class PunctuationRestorer(Protocol):
    """Puts punctuation into a text; weights may stand behind it, so it is called in a thread."""

    @property
    def languages(self) -> frozenset[str]:
        """Codes of the languages that it knows."""
        ...

    def restore(self, text: str, language: str) -> str:
        """The text of one utterance with punctuation. Letters, digits and their order stay as they are."""
        ...

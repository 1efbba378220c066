"""The steps that a text goes through after it is recognized."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from asr_service.domain.ports.recognizer import RecognizerCapabilities
from asr_service.domain.value_objects.asr_config import RecognitionOptions


@dataclass(frozen=True, slots=True)
class Manuscript:
    """Whose text it is, and how it is to be written.

    Attributes:
        language: Code of the language that it is written in; ``None``: not known.
        options: What the client asked for.
        tenant: Whose words are masked.
        engine: What the engine that wrote it can do by itself.
    """

    language: str | None
    options: RecognitionOptions
    tenant: str
    engine: RecognizerCapabilities


class TextStep(Protocol):
    """One thing that is done to texts: a pure function of the text and the manuscript that never fails."""

    characterwise: ClassVar[bool]
    """Whether each new character stands for the one in its place, when the texts are equally long."""
    quick: ClassVar[bool]
    """Whether it takes less than a millisecond; if not, it is run in a thread."""

    def is_wanted(self, manuscript: Manuscript) -> bool:
        """Whether it has anything to do."""
        ...

    def of_whole(self, text: str, manuscript: Manuscript) -> str:
        """The text of a whole utterance, rewritten."""
        ...

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        """The same for the beginning of one: what comes out is the beginning of what comes of any longer text.

        A step that cannot promise that leaves the text as it is, or leaves out its undecided end.
        """
        ...

"""What SenseVoice writes: tags for the language, the mood and the sounds, then the text."""

import re
from dataclasses import dataclass

LANGUAGES = frozenset({"zh", "en", "yue", "ja", "ko"})
"""Codes of the languages that SenseVoice tells apart, as it writes them."""
_NO_SPEECH = "nospeech"
_TAG = re.compile(r"<\|([^<>|]*)\|>")


@dataclass(frozen=True, slots=True)
class RichText:
    """A text without its tags.

    Attributes:
        text: Without surrounding spaces; empty where SenseVoice says that nobody speaks.
        language: Code of the language by the first tag that names one; ``None`` if none does.
    """

    text: str
    language: str | None


def read_rich_text(written: str) -> RichText:
    """Takes the tags out of a text. Moods and sounds are dropped: nothing that was said is in them."""
    tags = _TAG.findall(written)
    text = "" if _NO_SPEECH in tags else _TAG.sub("", written).strip()
    return RichText(text, next((tag for tag in tags if tag in LANGUAGES), None))

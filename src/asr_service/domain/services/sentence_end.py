"""Whether a text ends with its sentence."""

import re

# One stop, question or exclamation mark, perhaps several of the latter, perhaps inside of closing quotes or brackets. Dots in
# a row are the mark of a speaker who hesitates.
_SENTENCE_END = re.compile(r"(?<![.。．…])[.。．?？!！][\"'”’」』)）\]】》\s]*\Z")


def ends_sentence(text: str) -> bool:
    """Whether the last mark of the text ends a sentence; ``...`` and ``…`` do not, an abbreviation's dot does."""
    return _SENTENCE_END.search(text) is not None

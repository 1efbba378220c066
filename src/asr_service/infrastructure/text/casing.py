"""Capital letters where they are asked for."""

import re
from typing import ClassVar

from asr_service.domain.value_objects.asr_config import Casing
from asr_service.infrastructure.text.text_step import Manuscript

# A letter that begins the text, or follows the end of a sentence and a space; marks before it, such as quotes, do not matter,
# but for the asterisks of a masked word. The last dot of i.e. and of p.m. ends no sentence.
_SENTENCE_START = re.compile(r"(?:\A|(?<!\.\w)[.!?…。！？][\"'”’)\]]*\s)[^\w*]*([^\W\d_])")
_ENGLISH_I = re.compile(r"\bi\b(?=$|[\s,;:!?']|\.(?!\w))")


class CasingStep:
    """Writes capital letters where sentences begin, or nowhere.

    What an engine that knows capitals wrote inside of sentences stays: names keep theirs. An engine that writes everything
    in capitals, or nothing, says nothing about names, so its letters become small ones; English *I* does not.
    """

    characterwise: ClassVar[bool] = True
    quick: ClassVar[bool] = True

    def is_wanted(self, manuscript: Manuscript) -> bool:
        return manuscript.options.casing is not Casing.AS_RECOGNIZED

    def of_whole(self, text: str, manuscript: Manuscript) -> str:
        if manuscript.options.casing is Casing.LOWER:
            return _lower(text)
        if not manuscript.engine.casing:
            text = _lower(text)
            if manuscript.language == "en":
                text = _ENGLISH_I.sub("I", text)
        return _SENTENCE_START.sub(lambda found: found[0][:-1] + _upper(found[0][-1]), text)

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        return self.of_whole(text, manuscript)


def _lower(text: str) -> str:
    """Letter by letter, so that no letter depends on its neighbours; one that would become two stays."""
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def _upper(letter: str) -> str:
    return letter.upper() if len(letter.upper()) == 1 else letter

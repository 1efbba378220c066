"""Listed words made unreadable."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from asr_service.infrastructure.text.chinese_script import converted
from asr_service.infrastructure.text.text_step import Manuscript

MASK: Final = "*"
_END: Final = ""  # in a node of the tree of words: a word ends here; no character is empty


class WordMask:
    """Finds the words of a list, whatever their case, width and script, and writes an asterisk for each of their characters.

    Every occurrence counts, also where two overlap. A word of letters is found where it stands alone, not inside of another
    one; in writing without spaces it is found anywhere. Spaces inside of a phrase stay, so that words remain apart.

    Nothing of the list shows in ``repr``.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._tree: dict[str, Any] = {}
        self._size = 0
        for word in words:
            node = self._tree
            for character in _folded(" ".join(word.split())):
                node = node.setdefault(character, {})
            if node is not self._tree:
                node[_END] = True
                self._size += 1

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"WordMask({len(self)} words)"

    def hide(self, text: str) -> str:
        """The text of a whole utterance, its listed words masked."""
        return _masked(text, self._found(text)[0])

    def hide_beginning(self, text: str) -> str:
        """The same for the beginning of a text; an end that may turn out to be a listed word is left out."""
        spans, decided = self._found(text)
        return _masked(text, spans)[:decided].rstrip() if decided < len(text) else _masked(text, spans)

    def _found(self, text: str) -> tuple[list[tuple[int, int]], int]:
        """Where listed words stand, and up to where nothing that follows the text can change that."""
        folded = _folded(text)
        spans: list[tuple[int, int]] = []
        decided = len(text)
        for start in range(len(text)):
            if not _may_part(folded, start):
                continue
            node, end = self._tree, start
            while end < len(text) and folded[end] in node:
                node = node[folded[end]]
                end += 1
                if _END in node and _may_part(folded, end):
                    spans.append((start, end))
            if end == len(text) and (node.keys() - {_END} or _is_spaced_letter(text[-1])):
                decided = min(decided, start)  # a longer word, or one that the listed word only begins
        return spans, decided


class MaskingStep:
    """Masks the words that are listed for everybody, and with them those that are listed for the tenant.

    Args:
        everybody: Words for all tenants.
        tenants: Words for single ones, by their names.
        optional: Whether a client may have nothing masked.
    """

    characterwise: ClassVar[bool] = True
    quick: ClassVar[bool] = True

    def __init__(
        self, everybody: Collection[str] = (), tenants: Mapping[str, Collection[str]] | None = None, *, optional: bool
    ) -> None:
        self._everybody = WordMask(everybody)
        self._tenants = {tenant: WordMask([*everybody, *words]) for tenant, words in (tenants or {}).items()}
        self._optional = optional

    @property
    def has_words(self) -> bool:
        """Whether there is anything to mask for anybody."""
        return any(len(mask) for mask in (self._everybody, *self._tenants.values()))

    @property
    def can_be_switched_off(self) -> bool:
        return self._optional or not self.has_words

    def is_wanted(self, manuscript: Manuscript) -> bool:
        return len(self._mask(manuscript)) > 0 and not (self._optional and manuscript.options.mask is False)

    def of_whole(self, text: str, manuscript: Manuscript) -> str:
        return self._mask(manuscript).hide(text)

    def of_beginning(self, text: str, manuscript: Manuscript) -> str:
        return self._mask(manuscript).hide_beginning(text)

    def _mask(self, manuscript: Manuscript) -> WordMask:
        return self._tenants.get(manuscript.tenant, self._everybody)


def _masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    characters = list(text)
    for start, end in spans:
        for place in range(start, end):
            if not text[place].isspace():
                characters[place] = MASK
    return "".join(characters)


def _folded(text: str) -> str:
    """The text in one case, width and script, as many characters as before."""
    narrow = "".join(map(_folded_character, text))
    one_script = converted(narrow, "t2s")
    return one_script if len(one_script) == len(narrow) else narrow


@lru_cache(maxsize=8_192)
def _folded_character(character: str) -> str:
    if character.isspace():
        return " "
    plain = unicodedata.normalize("NFKC", character).casefold()
    return plain if len(plain) == 1 else character


def _may_part(text: str, place: int) -> bool:
    """Whether a word may begin or end here: not between two letters or digits of writing with spaces."""
    if place in (0, len(text)):
        return True
    return not (_is_spaced_letter(text[place - 1]) and _is_spaced_letter(text[place]))


@lru_cache(maxsize=8_192)
def _is_spaced_letter(character: str) -> bool:
    """Whether it belongs to writing that puts spaces between words; wide characters do not."""
    return character.isalnum() and unicodedata.east_asian_width(character) not in "WF"

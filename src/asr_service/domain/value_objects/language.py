"""Languages and scripts."""

from enum import StrEnum

from asr_service.shared.errors import InvalidRequest

ALIASES = {
    "auto": None,
    "": None,
    "cn": "zh",
    "cmn": "zh",
    "chinese": "zh",
    "mandarin": "zh",
    "中文": "zh",
    "english": "en",
    "英文": "en",
    "cantonese": "yue",
    "粤语": "yue",
    "japanese": "ja",
    "日文": "ja",
    "korean": "ko",
    "韩文": "ko",
}
_LONGEST_CODE = 3


class Script(StrEnum):
    """How Chinese text is written."""

    SIMPLIFIED = "simplified"
    TRADITIONAL = "traditional"
    AS_RECOGNIZED = "as_recognized"


class UnsupportedLanguage(InvalidRequest):
    """The language is no language code, or the model does not know it."""

    code = "unsupported_language"


def parse_language(text: str | None) -> str | None:
    """The language code that a client means: ``zh-CN`` and ``Chinese`` are ``zh``.

    ``auto``, empty and ``None`` ask for detection, which is ``None``.

    Raises:
        UnsupportedLanguage: The text has not the form of a language code.
    """
    if text is None:
        return None
    key = text.strip().lower()
    if key in ALIASES:
        return ALIASES[key]
    code = key.replace("_", "-").partition("-")[0]
    code = ALIASES.get(code, code) or ""
    if not (code.isascii() and code.isalpha() and 2 <= len(code) <= _LONGEST_CODE):
        raise UnsupportedLanguage(
            f"{text[:40]!r} is no language code.",
            field="language",
            hint="Use an ISO 639-1 code such as zh or en, or auto.",
        )
    return code

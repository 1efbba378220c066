"""The last safety before a line is written: what must never be in a log is taken out of it.

Code does not log texts, audio or secrets in the first place; this catches the slip, and what libraries say.
"""

import re
from collections.abc import Mapping, MutableMapping
from datetime import date
from pathlib import PurePath
from typing import Any, Final

from asr_service.shared.errors import AsrError

REDACTED: Final = "[redacted]"

_SPOKEN: Final = frozenset(
    {
        "audio",
        "hotwords",
        "hypothesis",
        "pcm",
        "prompt",
        "settled_text",
        "stable",
        "text",
        "texts",
        "transcript",
        "transcripts",
        "transcription",
        "utterance_text",
        "volatile",
        "word",
        "words",
    }
)
_SECRET: Final = frozenset(
    {"api_key", "apikey", "authorization", "client_secret", "cookie", "credentials", "passphrase", "password", "passwd"}
    | {"private_key", "proxy_authorization", "secret", "set_cookie", "token"}
)
_SECRET_ENDINGS: Final = ("_api_key", "_authorization", "_password", "_private_key", "_secret", "_token")

_URL_PASSWORD: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)(?P<user>[^/?#\s:@]*):[^/?#\s]*@", re.IGNORECASE)
_QUERY_SECRET: Final = re.compile(
    r"(?P<key>[?&](?:[\w-]*[_-])?(?:token|key|api_?key|secret|password|passwd|signature|sig|code)=)[^&#\s\"']+",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"\b(?P<scheme>bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_SQL_PARAMETERS: Final = re.compile(r"\[parameters: .*")  # SQLAlchemy quotes the row that it could not write


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: masks values by their key, and secrets inside of strings; goes into nested values.

    Objects other than plain values appear by the name of their type only, since their ``repr`` may quote anything.
    """
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:
    return REDACTED if value is not None and _is_sensitive(key) else _cleaned(value)


def _is_sensitive(key: str) -> bool:
    name = key.lower().replace("-", "_")
    return name in _SPOKEN or name in _SECRET or name.endswith(_SECRET_ENDINGS)


def _cleaned(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _redacted(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(item) for item in value]
    return _described(value)


def _described(value: object) -> str:
    match value:
        case str():
            return clean_string(value)
        case date():
            return value.isoformat()
        case PurePath():
            return str(value)
        case AsrError():
            return f"{value.code}: {clean_string(value.message)}"
        case _:
            return f"<{type(value).__name__}>"


def clean_string(text: str) -> str:
    """Masks passwords and query secrets of URLs, authorization headers, and the parameters of SQL statements."""
    text = _URL_PASSWORD.sub(rf"\g<scheme>\g<user>:{REDACTED}@", text)
    text = _QUERY_SECRET.sub(rf"\g<key>{REDACTED}", text)
    text = _BEARER.sub(rf"\g<scheme> {REDACTED}", text)
    return _SQL_PARAMETERS.sub(f"[parameters: {REDACTED}]", text)

"""Opaque cursors: where a listing goes on, as text that clients hand back unread.

A cursor holds only the sort key of the last row that was given out (keyset paging): rows that come or go meanwhile
shift nothing. It grants nothing either, since the tenant is part of every query.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asr_service.shared.errors import InvalidRequest

_LONGEST_CURSOR = 512  # ours have about 100 characters; nobody gets to have more parsed
_LARGEST_UTTERANCE = 2**31 - 1  # of the column's type


@dataclass(frozen=True, slots=True)
class SessionPosition:
    """The last session of a page."""

    started_at: datetime
    session_id: str

    def to_cursor(self) -> str:
        return _encode("sessions", self.started_at.astimezone(UTC).isoformat(), self.session_id)

    @classmethod
    def from_cursor(cls, cursor: str) -> "SessionPosition":
        """Reads a cursor of ``to_cursor``; raises ``InvalidRequest`` for any other text."""
        match _decode(cursor):
            case ["sessions", str(instant), str(session_id)]:
                return cls(_utc(instant), session_id)
        raise _invalid()


@dataclass(frozen=True, slots=True)
class ResultPosition:
    """The last final of a page, in one session."""

    session_id: str
    utterance: int

    def to_cursor(self) -> str:
        return _encode("results", self.session_id, self.utterance)

    @classmethod
    def from_cursor(cls, cursor: str, session_id: str) -> "ResultPosition":
        """Reads a cursor of ``to_cursor`` for the same session; raises ``InvalidRequest`` for any other text."""
        match _decode(cursor):
            case ["results", str(owner), int(utterance)] if owner == session_id and _is_utterance(utterance):
                return cls(owner, utterance)
        raise _invalid()


def _encode(*parts: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str) -> Any:
    if len(cursor) > _LONGEST_CURSOR:
        raise _invalid()
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as error:
        raise _invalid() from error


def _is_utterance(number: int) -> bool:
    return not isinstance(number, bool) and 0 <= number <= _LARGEST_UTTERANCE


def _utc(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise _invalid() from error
    if instant.utcoffset() != timedelta(0):
        raise _invalid()
    return instant


def _invalid() -> InvalidRequest:
    return InvalidRequest(
        "The cursor is none that this listing gave out.",
        field="cursor",
        hint="Pass next_cursor of the previous page unchanged, or leave the cursor out for the first page.",
    )

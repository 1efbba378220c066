"""The root of every error that this service names.

An error is filed beside the port or the message that raises it; what it means to a client (HTTP status, WebSocket
close code) is one table, ``app/api/errors.py``.
"""

from typing import ClassVar


class AsrError(Exception):
    """An expected failure that a person or a program can act on.

    Attributes:
        code: Public slug, stable across releases; clients branch on it.
        hint: What to do about it, in one sentence; ``None`` when there is nothing useful to say.
        retry_after_s: Seconds after which the same request may succeed; ``None`` when repeating it is no use.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s

    @property
    def explanation(self) -> str:
        """Message and hint, for those who have one place for both."""
        return f"{self.message} {self.hint}" if self.hint else self.message


class InvalidRequest(AsrError):
    """The caller's input is wrong, and repeating it unchanged is no use.

    ``field`` names the offending part of the input as the caller wrote it, where one can be named.
    """

    code = "invalid_request"

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.field = field


class NotFound(AsrError):
    """The thing asked for does not exist, or not for this caller."""

    code = "not_found"

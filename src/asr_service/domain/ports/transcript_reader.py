"""The read side of sessions and results: rows as they are shown; no aggregate is loaded for a listing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import SessionStatus

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A stretch of a listing; ``next_cursor`` is ``None`` on the last one."""

    items: Sequence[T]
    next_cursor: str | None


class TranscriptReader(Protocol):
    """Answers questions about stored sessions; what belongs to another tenant does not exist.

    An open session whose server is gone is told, and selected, as ``INTERRUPTED``.
    """

    async def list_sessions(
        self, caller: Caller, *, status: SessionStatus | None, cursor: str | None, limit: int
    ) -> Page[SessionRecord]:
        """The newest sessions first.

        Raises:
            InvalidRequest: The cursor is none that a listing gave out.
        """
        ...

    async def get_session(self, caller: Caller, session_id: str) -> SessionRecord:
        """One session.

        Raises:
            NotFound: There is none of this id for this caller.
        """
        ...

    async def list_results(
        self, caller: Caller, session_id: str, *, cursor: str | None, limit: int
    ) -> Page[RecognitionResult]:
        """The finals of a session in the order of its utterances.

        Raises:
            NotFound: There is no session of this id for this caller.
            InvalidRequest: The cursor is none that a listing gave out.
        """
        ...

"""The read side in SQL: one query per page, straight to what is shown."""

from sqlalchemy import ColumnElement, and_, literal, select, tuple_

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.ports.transcript_reader import Page
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.infrastructure.persistence.columns import IdentifierText, UtcDateTime
from asr_service.infrastructure.persistence.cursors import ResultPosition, SessionPosition
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.rows import recognition_result, session_record
from asr_service.infrastructure.persistence.tables import results, sessions
from asr_service.shared.errors import NotFound


class SqlTranscriptReader:
    """Implements ``TranscriptReader``; raises ``StorageUnavailable`` when the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_sessions(
        self, caller: Caller, *, status: SessionStatus | None, cursor: str | None, limit: int
    ) -> Page[SessionRecord]:
        newest_first = sessions.c.started_at.desc(), sessions.c.session_id.desc()
        query = select(sessions).where(sessions.c.tenant == caller.tenant).order_by(*newest_first)
        if status is not None:
            query = query.where(sessions.c.status == status.value)
        if cursor is not None:
            last = SessionPosition.from_cursor(cursor)
            after = tuple_(literal(last.started_at, UtcDateTime), literal(last.session_id, IdentifierText))
            query = query.where(tuple_(sessions.c.started_at, sessions.c.session_id) < after)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        records = [session_record(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return Page(records, None)
        return Page(records, SessionPosition(records[-1].started_at, records[-1].session_id).to_cursor())

    async def get_session(self, caller: Caller, session_id: str) -> SessionRecord:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(sessions).where(_is_session(caller, session_id)))).first()
        if row is None:
            raise _no_session()
        return session_record(row)

    async def list_results(
        self, caller: Caller, session_id: str, *, cursor: str | None, limit: int
    ) -> Page[RecognitionResult]:
        session = select(sessions.c.session_id).where(_is_session(caller, session_id))
        of_session = and_(results.c.tenant == caller.tenant, results.c.session_id == session_id)
        query = select(results).where(of_session).order_by(results.c.utterance)
        if cursor is not None:
            query = query.where(results.c.utterance > ResultPosition.from_cursor(cursor, session_id).utterance)
        async with self._database.reading() as connection:
            if (await connection.execute(session)).first() is None:
                raise _no_session()
            rows = (await connection.execute(query.limit(limit + 1))).all()
        finals = [recognition_result(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return Page(finals, None)
        return Page(finals, ResultPosition(session_id, finals[-1].utterance).to_cursor())


def _is_session(caller: Caller, session_id: str) -> ColumnElement[bool]:
    return and_(sessions.c.tenant == caller.tenant, sessions.c.session_id == session_id)


def _no_session() -> NotFound:
    return NotFound("There is no such session.")

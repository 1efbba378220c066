"""The read side in SQL: one query per page, straight to what is shown."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from sqlalchemy import ColumnElement, and_, literal, not_, select, tuple_

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

    def __init__(self, database: Database, alive: Callable[[], Awaitable[Collection[str]]] | None = None) -> None:
        """Takes an open database.

        Args:
            database: With the schema of this release.
            alive: The nodes that are; ``None``: nobody knows, and no session is taken for interrupted.
        """
        self._database = database
        self._alive = alive

    async def list_sessions(
        self, caller: Caller, *, status: SessionStatus | None, cursor: str | None, limit: int
    ) -> Page[SessionRecord]:
        newest_first = sessions.c.started_at.desc(), sessions.c.session_id.desc()
        query = select(sessions).where(sessions.c.tenant == caller.tenant).order_by(*newest_first)
        alive = await self._alive() if self._alive else None
        if status is not None:
            query = query.where(_has_status(status, alive))
        if cursor is not None:
            last = SessionPosition.from_cursor(cursor)
            after = tuple_(literal(last.started_at, UtcDateTime), literal(last.session_id, IdentifierText))
            query = query.where(tuple_(sessions.c.started_at, sessions.c.session_id) < after)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        records = [_seen(session_record(row), alive) for row in rows[:limit]]
        if len(rows) <= limit:
            return Page(records, None)
        return Page(records, SessionPosition(records[-1].started_at, records[-1].session_id).to_cursor())

    async def get_session(self, caller: Caller, session_id: str) -> SessionRecord:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(sessions).where(_is_session(caller, session_id)))).first()
        if row is None:
            raise _no_session()
        return _seen(session_record(row), await self._alive() if self._alive else None)

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


def _has_status(status: SessionStatus, alive: Collection[str] | None) -> ColumnElement[bool]:
    if status is SessionStatus.CLOSED or alive is None:
        return sessions.c.status == status.value
    is_served = and_(sessions.c.node_id.is_not(None), sessions.c.node_id.in_(alive))
    if status is SessionStatus.INTERRUPTED:
        return and_(sessions.c.status != SessionStatus.CLOSED.value, not_(is_served))
    return and_(sessions.c.status == status.value, is_served)


def _seen(record: SessionRecord, alive: Collection[str] | None) -> SessionRecord:
    """The record as it is, given who is alive."""
    if alive is None or record.status is SessionStatus.CLOSED or record.node_id in alive:
        return record
    return replace(record, status=SessionStatus.INTERRUPTED)


def _is_session(caller: Caller, session_id: str) -> ColumnElement[bool]:
    return and_(sessions.c.tenant == caller.tenant, sessions.c.session_id == session_id)


def _no_session() -> NotFound:
    return NotFound("There is no such session.")

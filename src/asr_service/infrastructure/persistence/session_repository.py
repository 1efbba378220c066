"""The write side of sessions in SQL."""

from sqlalchemy import select

from asr_service.domain.entities.session_record import SessionRecord
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.rows import session_record, session_row
from asr_service.infrastructure.persistence.tables import sessions


class SqlSessionRepository:
    """Implements ``SessionRepository``; raises ``StorageUnavailable`` when the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(sessions)
        self._save = insert.on_conflict_do_update(
            index_elements=[sessions.c.session_id],
            set_={column.name: insert.excluded[column.name] for column in sessions.c if not column.primary_key},
            where=sessions.c.epoch <= insert.excluded.epoch,
        )

    async def save(self, record: SessionRecord) -> None:
        async with self._database.writing() as connection:
            await connection.execute(self._save, session_row(record))

    async def get(self, session_id: str) -> SessionRecord | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(sessions).where(sessions.c.session_id == session_id))).one_or_none()
        return None if row is None else session_record(row)

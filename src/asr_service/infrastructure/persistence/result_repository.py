"""The write side of results in SQL."""

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.rows import result_row
from asr_service.infrastructure.persistence.tables import results


class SqlResultRepository:
    """Implements ``ResultRepository``; raises ``StorageUnavailable`` when the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.insert(results).on_conflict_do_nothing(
            index_elements=[results.c.session_id, results.c.utterance]
        )

    async def add(self, result: RecognitionResult) -> None:
        async with self._database.writing() as connection:
            await connection.execute(self._add, result_row(result))

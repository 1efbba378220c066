"""The read side of sessions, with what the journal knows of them: until when they can be resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.ports.transcript_reader import Page, TranscriptReader
from asr_service.domain.repositories.session_journal import SessionJournal
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus

log = structlog.get_logger(__name__)


class ResumableListing:
    """Implements ``TranscriptReader`` by another one, and fills in ``resumable_until``."""

    def __init__(self, reader: TranscriptReader, journal: SessionJournal) -> None:
        self._reader = reader
        self._journal = journal

    async def list_sessions(
        self, caller: Caller, *, status: SessionStatus | None, cursor: str | None, limit: int
    ) -> Page[SessionRecord]:
        page = await self._reader.list_sessions(caller, status=status, cursor=cursor, limit=limit)
        return Page(await self._completed(page.items), page.next_cursor)

    async def get_session(self, caller: Caller, session_id: str) -> SessionRecord:
        (record,) = await self._completed([await self._reader.get_session(caller, session_id)])
        return record

    async def list_results(
        self, caller: Caller, session_id: str, *, cursor: str | None, limit: int
    ) -> Page[RecognitionResult]:
        return await self._reader.list_results(caller, session_id, cursor=cursor, limit=limit)

    async def _completed(self, records: Sequence[SessionRecord]) -> list[SessionRecord]:
        broken_off = [record.session_id for record in records if _is_broken_off(record)]
        expiries = await self._expiries(broken_off) if broken_off else {}
        return [
            replace(record, resumable_until=expiries[record.session_id]) if record.session_id in expiries else record
            for record in records
        ]

    async def _expiries(self, session_ids: Sequence[str]) -> Mapping[str, datetime]:
        try:
            return await self._journal.expiries(session_ids)
        except StorageUnavailable as error:  # nobody can resume now either; the rest is worth reading
            log.warning("expiries_unknown", reason=error.message)
            return {}


def _is_broken_off(record: SessionRecord) -> bool:
    return record.status is SessionStatus.INTERRUPTED or record.end_reason is EndReason.DISCONNECTED

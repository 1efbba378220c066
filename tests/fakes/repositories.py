"""Sessions and results in memory; the three ports share one store."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.ports.transcript_reader import Page
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.errors import InvalidRequest, NotFound

T = TypeVar("T")


@dataclass
class InMemoryStore:
    """What is stored; while ``available`` is false, every port raises ``StorageUnavailable``."""

    sessions: dict[str, SessionRecord] = field(default_factory=dict)
    results: dict[tuple[str, int], RecognitionResult] = field(default_factory=dict)
    available: bool = True

    def check(self) -> None:
        if not self.available:
            raise StorageUnavailable("The store is switched off.")


@dataclass(frozen=True)
class InMemorySessionRepository:
    store: InMemoryStore

    async def save(self, record: SessionRecord) -> None:
        self.store.check()
        known = self.store.sessions.get(record.session_id)
        if known is None or known.epoch <= record.epoch:
            self.store.sessions[record.session_id] = record

    async def get(self, session_id: str) -> SessionRecord | None:
        self.store.check()
        return self.store.sessions.get(session_id)


@dataclass(frozen=True)
class InMemoryResultRepository:
    store: InMemoryStore

    async def add(self, result: RecognitionResult) -> None:
        self.store.check()
        self.store.results.setdefault((result.session_id, result.utterance), result)


@dataclass(frozen=True)
class InMemoryTranscriptReader:
    """A cursor names the listing and the last item that was given out; without ``alive`` nobody knows who is."""

    store: InMemoryStore
    alive: Collection[str] | None = None

    async def list_sessions(
        self, caller: Caller, *, status: SessionStatus | None, cursor: str | None, limit: int
    ) -> Page[SessionRecord]:
        self.store.check()
        records = [
            record
            for record in map(self._seen, self.store.sessions.values())
            if record.tenant == caller.tenant and status in (None, record.status)
        ]
        records.sort(key=lambda record: (record.started_at, record.session_id), reverse=True)
        return _page(records, "sessions", lambda record: record.session_id, cursor, limit)

    async def get_session(self, caller: Caller, session_id: str) -> SessionRecord:
        self.store.check()
        record = self.store.sessions.get(session_id)
        if record is None or record.tenant != caller.tenant:
            raise NotFound("There is no such session.")
        return self._seen(record)

    def _seen(self, record: SessionRecord) -> SessionRecord:
        if self.alive is None or record.status is SessionStatus.CLOSED or record.node_id in self.alive:
            return record
        return replace(record, status=SessionStatus.INTERRUPTED)

    async def list_results(
        self, caller: Caller, session_id: str, *, cursor: str | None, limit: int
    ) -> Page[RecognitionResult]:
        await self.get_session(caller, session_id)
        finals = [
            result
            for result in self.store.results.values()
            if result.session_id == session_id and result.tenant == caller.tenant
        ]
        finals.sort(key=lambda result: result.utterance)
        return _page(finals, f"results {session_id}", lambda result: str(result.utterance), cursor, limit)


def _page(items: Sequence[T], listing: str, key: Callable[[T], str], cursor: str | None, limit: int) -> Page[T]:
    cursors = [f"{listing} {key(item)}" for item in items]
    if cursor is not None and cursor not in cursors:
        raise InvalidRequest("The cursor is none that this listing gave out.", field="cursor")
    start = 0 if cursor is None else cursors.index(cursor) + 1
    page = items[start : start + limit]
    more = start + limit < len(items)
    return Page(page, cursors[start + limit - 1] if more else None)

"""Keeps sessions and finals: a listener of domain events that writes to the repositories."""

from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.events.session_events import (
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.repositories.result_repository import ResultRepository
from asr_service.domain.repositories.session_repository import SessionRepository
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.clock import Clock
from asr_service.shared.errors import AsrError

_REMEMBERED_TENANTS = 10_000  # of sessions; of those that are forgotten the store is asked again


class SessionNotRecorded(AsrError):
    """Something was told of a session whose beginning is not stored."""

    code = "session_not_recorded"


class SessionRecorder:
    """Handles one event at a time. All that it knows is in the store, so any server can handle any event.

    Handling an event again, or late, changes nothing: a final is stored once, and the record of a session follows the
    newest claim on it, whatever is told of older ones.
    """

    def __init__(self, sessions: SessionRepository, results: ResultRepository, clock: Clock) -> None:
        self._sessions = sessions
        self._results = results
        self._clock = clock
        self._tenants: OrderedDict[str, str] = OrderedDict()  # of sessions, the last used at the end

    async def handle(self, event: SessionEvent) -> None:
        """Stores what the event tells.

        Raises:
            StorageUnavailable: Nothing may have been stored; the event may be handled again.
            SessionNotRecorded: The beginning of the session has to be handled before.
        """
        match event:
            case SessionStarted():
                await self._open(event, epoch=1)
            case SessionResumed():
                await self._open(event, epoch=event.epoch)
                await self._add_all(event, event.outcomes)
            case SessionRecovered():
                await self._recover(event)
            case UtteranceFinalized():
                await self._add(event, self._when(event))
            case SessionEnded():
                await self._end(event)

    async def _open(self, event: SessionStarted | SessionResumed, epoch: int) -> None:
        record = await self._sessions.get(event.session_id)
        if record is None:
            record = self._new_record(event, event.node_id, epoch)
        elif _is_news(record, epoch):
            record = _reopened(record, event.node_id, epoch)
        else:
            return
        await self._sessions.save(record)

    async def _recover(self, event: SessionRecovered) -> None:
        """The server that has, or had, the session is not known here: it says so itself, if it still can."""
        record = await self._sessions.get(event.session_id)
        if record is None:
            record = self._new_record(event, None, event.epoch)
            await self._sessions.save(record)
        elif event.epoch > record.epoch and not _is_end_of(record, event.ending):
            record = _reopened(record, None, event.epoch)
            await self._sessions.save(record)
        await self._add_all(event, event.outcomes)
        if event.ending is not None and record.status is not SessionStatus.CLOSED:
            await self._close(record, replace(event.ending, epoch=event.epoch), self._when(event))

    async def _end(self, event: SessionEnded) -> None:
        record = await self._sessions.get(event.session_id)
        if record is None:
            raise _not_recorded()
        if event.epoch >= record.epoch:
            await self._close(record, event, self._when(event))

    async def _close(self, record: SessionRecord, event: SessionEnded, ended_at: datetime) -> None:
        await self._sessions.save(
            replace(
                record,
                status=SessionStatus.CLOSED,
                ended_at=ended_at,
                end_reason=event.reason,
                received_samples=event.received_samples,
                decoded_samples=event.decoded_samples,
                finalized_samples=event.finalized_samples,
                epoch=event.epoch,
            )
        )

    async def _add_all(self, event: SessionEvent, outcomes: tuple[SessionEvent, ...]) -> None:
        """Some may be missing in the store: whoever had the session was killed before they were stored."""
        for outcome in outcomes:  # their times are those of that process
            if isinstance(outcome, UtteranceFinalized):
                await self._add(outcome, self._when(event))

    async def _add(self, event: UtteranceFinalized, created_at: datetime) -> None:
        if event.hypothesis.text:
            await self._results.add(
                RecognitionResult(
                    session_id=event.session_id,
                    tenant=await self._tenant_of(event.session_id),
                    utterance=event.utterance,
                    span=event.span,
                    hypothesis=event.hypothesis,
                    created_at=created_at,
                )
            )

    async def _tenant_of(self, session_id: str) -> str:
        tenant = self._tenants.pop(session_id, None)
        if tenant is None:
            record = await self._sessions.get(session_id)
            if record is None:
                raise _not_recorded()
            tenant = record.tenant
        self._tenants[session_id] = tenant
        if len(self._tenants) > _REMEMBERED_TENANTS:
            self._tenants.popitem(last=False)
        return tenant

    def _new_record(
        self, event: SessionStarted | SessionResumed | SessionRecovered, node_id: str | None, epoch: int
    ) -> SessionRecord:
        caller: Caller = event.caller
        return SessionRecord(
            session_id=event.session_id,
            tenant=caller.tenant,
            key_id=caller.key_id,
            name=event.config.name,
            language=event.config.options.language,
            status=SessionStatus.LISTENING,
            started_at=self._when(event),
            node_id=node_id,
            epoch=epoch,
        )

    def _when(self, event: SessionEvent) -> datetime:
        """When it happened, by the wall clock: it may have waited for the store for long."""
        age_s = max(0.0, self._clock.monotonic_s() - event.at_s)
        return self._clock.now() - timedelta(seconds=age_s)


def _reopened(record: SessionRecord, node_id: str | None, epoch: int) -> SessionRecord:
    return replace(record, status=SessionStatus.LISTENING, ended_at=None, end_reason=None, node_id=node_id, epoch=epoch)


def _is_news(record: SessionRecord, epoch: int) -> bool:
    """Whether a beginning of this epoch changes the record; one that was recovered does not say yet who has the session."""
    is_recovered = record.node_id is None and record.status is not SessionStatus.CLOSED
    return epoch > record.epoch or (epoch == record.epoch and is_recovered)


def _is_end_of(record: SessionRecord, ending: SessionEnded | None) -> bool:
    """Whether the record has this end already: it is claimed again when a client comes back only to hear it."""
    closed = record.status is SessionStatus.CLOSED
    return closed and ending is not None and record.end_reason is ending.reason


def _not_recorded() -> SessionNotRecorded:
    return SessionNotRecorded("The beginning of this session is not stored.")

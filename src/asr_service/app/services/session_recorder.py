"""Keeps sessions and finals: a listener of domain events that writes to the repositories."""

from dataclasses import replace

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionResumed, SessionStarted
from asr_service.domain.repositories.result_repository import ResultRepository
from asr_service.domain.repositories.session_repository import SessionRepository
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.clock import Clock


class SessionRecorder:
    """Handles one event at a time; handling an event twice stores it once."""

    def __init__(self, sessions: SessionRepository, results: ResultRepository, clock: Clock) -> None:
        self._sessions = sessions
        self._results = results
        self._clock = clock
        self._open: dict[str, SessionRecord] = {}  # as many as there are live sessions

    async def handle(self, event: SessionEvent) -> None:
        """Stores what the event tells.

        Raises:
            StorageUnavailable: Nothing was stored; the event may be handled again.
        """
        match event:
            case SessionStarted() if event.config.stored:
                await self._start(event)
            case SessionResumed() if event.config.stored:
                await self._reopen(event)
            case UtteranceFinalized() if event.session_id in self._open:
                await self._add(event)
            case SessionEnded() if event.session_id in self._open:
                await self._end(event)

    async def _start(self, event: SessionStarted | SessionResumed) -> None:
        record = SessionRecord(
            session_id=event.session_id,
            tenant=event.caller.tenant,
            key_id=event.caller.key_id,
            name=event.config.name,
            language=event.config.options.language,
            status=SessionStatus.LISTENING,
            started_at=self._clock.now(),
        )
        await self._sessions.save(record)
        self._open[event.session_id] = record

    async def _reopen(self, event: SessionResumed) -> None:
        record = await self._sessions.get(event.session_id)
        if record is None:  # it was broken off before its start could be stored
            await self._start(event)
        else:
            record = replace(record, status=SessionStatus.LISTENING, ended_at=None, end_reason=None)
            await self._sessions.save(record)
            self._open[event.session_id] = record
        for outcome in event.outcomes:  # some may be missing: whoever had the session was killed before it stored them
            if isinstance(outcome, UtteranceFinalized):
                await self._add(outcome)

    async def _add(self, event: UtteranceFinalized) -> None:
        if event.hypothesis.text:
            await self._results.add(self._result(event))

    def _result(self, event: UtteranceFinalized) -> RecognitionResult:
        return RecognitionResult(
            session_id=event.session_id,
            tenant=self._open[event.session_id].tenant,
            utterance=event.utterance,
            span=event.span,
            hypothesis=event.hypothesis,
            created_at=self._clock.now(),
        )

    async def _end(self, event: SessionEnded) -> None:
        record = replace(
            self._open[event.session_id],
            status=SessionStatus.CLOSED,
            ended_at=self._clock.now(),
            end_reason=event.reason,
            received_samples=event.received_samples,
            decoded_samples=event.decoded_samples,
            finalized_samples=event.finalized_samples,
        )
        await self._sessions.save(record)
        del self._open[event.session_id]

"""Stores what is in the journal of live sessions and missing among the results: its server died before it was stored."""

from collections.abc import Callable, Collection

import structlog

from asr_service.domain.events.session_events import SessionRecovered
from asr_service.domain.ports.event_publisher import EventPublisher
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.repositories.session_journal import JournaledSession, SessionJournal
from asr_service.domain.repositories.session_repository import SessionRepository
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.shared.clock import Clock

log = structlog.get_logger(__name__)


class JournalReconciliation:
    """Compares the journal with the store.

    It only adds facts that the journal has, and the journal takes them from the holder of a session only. So servers may do it
    at the same time, and a node that was wrongly taken for dead suffers no harm.

    Args:
        journal: What was written before it was told.
        sessions: What is stored of sessions.
        publisher: Brings what is missing to those who keep it.
        clock: Of the events that are published.
        alive: The nodes that are alive; they bring their sessions to the store themselves.
    """

    def __init__(
        self,
        journal: SessionJournal,
        sessions: SessionRepository,
        publisher: EventPublisher,
        clock: Clock,
        alive: Callable[[], Collection[str]],
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._publisher = publisher
        self._clock = clock
        self._alive = alive

    async def run(self) -> None:
        """Goes through the whole journal once; a store that is away ends it, and the next run makes up for it."""
        recovered = 0
        try:
            async for session in self._journal.sessions():
                if session.config.stored and await self._is_missing(session):
                    self._publisher.publish(recovery_of(session, self._clock.monotonic_s()))
                    recovered += 1
        except StorageUnavailable as error:
            log.warning("reconciliation_broken_off", reason=error.message, sessions=recovered)
        else:
            log.info("journal_reconciled", sessions=recovered)

    async def _is_missing(self, session: JournaledSession) -> bool:
        record = await self._sessions.get(session.session_id)
        if record is None or session.epoch > record.epoch:
            return True
        if record.status is SessionStatus.CLOSED:
            return False  # what is told before the end is stored before it
        return session.ending is not None or record.node_id not in self._alive()


def recovery_of(session: JournaledSession, at_s: float) -> SessionRecovered:
    """What is to be told of a session that was found in the journal."""
    return SessionRecovered(
        session_id=session.session_id,
        at_s=at_s,
        caller=session.caller,
        config=session.config,
        outcomes=session.outcomes,
        ending=session.ending,
        epoch=session.epoch,
    )

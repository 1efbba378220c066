"""A journal in memory."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.repositories.session_journal import (
    JournaledSession,
    SessionNotResumable,
    SessionTakenOver,
    UtteranceOutcome,
)
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint

EXPIRY = datetime(2026, 1, 2, 4, tzinfo=UTC)
"""When all of its sessions expire, as it says; they do when a test wants it."""


@dataclass
class InMemorySessionJournal:
    """Implements ``SessionJournal``.

    Attributes:
        sessions_by_id: What is in it.
        available: While it is false, every call raises ``StorageUnavailable``.
        open: While it is cleared, every call waits.
    """

    sessions_by_id: dict[str, JournaledSession] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    available: bool = True
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    def expire(self, session_id: str) -> None:
        """Lets the time of a session run out."""
        del self.sessions_by_id[session_id]

    async def begin(self, session: JournaledSession, token: str) -> None:
        await self._check()
        self.sessions_by_id.setdefault(session.session_id, session)
        self.tokens[token] = session.session_id

    async def advance(
        self,
        session_id: str,
        epoch: int,
        outcomes: Sequence[UtteranceOutcome],
        checkpoint: SessionCheckpoint | None,
        ending: SessionEnded | None = None,
    ) -> None:
        await self._check()
        session = self.sessions_by_id.get(session_id)
        if session is None or session.epoch != epoch:
            raise SessionTakenOver("Another connection goes on with this session.")
        first = {outcome.utterance: outcome for outcome in reversed((*session.outcomes, *outcomes))}
        self.sessions_by_id[session_id] = replace(
            session,
            outcomes=tuple(first[utterance] for utterance in sorted(first)),
            checkpoint=checkpoint or session.checkpoint,
            ending=ending or session.ending,
        )

    async def claim(self, token: str, caller: Caller) -> JournaledSession:
        await self._check()
        session = self.sessions_by_id.get(self.tokens.get(token, ""))
        if session is None or session.caller != caller or not _is_whole(session):
            raise SessionNotResumable("There is no session that could be resumed.")
        session = replace(session, epoch=session.epoch + 1)
        self.sessions_by_id[session.session_id] = session
        return session

    async def sessions(self) -> AsyncGenerator[JournaledSession, None]:
        await self._check()
        for session in list(self.sessions_by_id.values()):
            if _is_whole(session):
                yield session

    async def expiries(self, session_ids: Collection[str]) -> Mapping[str, datetime]:
        await self._check()
        return {session_id: EXPIRY for session_id in session_ids if session_id in self.sessions_by_id}

    async def _check(self) -> None:
        await self.open.wait()
        if not self.available:
            raise StorageUnavailable("The journal is switched off.")


def _is_whole(session: JournaledSession) -> bool:
    """Whether all outcomes are there, those before the checkpoint at least."""
    utterances = [outcome.utterance for outcome in session.outcomes]
    return utterances == list(range(len(utterances))) and len(utterances) >= session.checkpoint.utterances

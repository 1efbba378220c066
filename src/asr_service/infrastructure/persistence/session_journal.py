"""The journal of live sessions in SQL."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Delete, Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from asr_service.domain.events.session_events import SessionEnded
from asr_service.domain.repositories.session_journal import (
    JournaledSession,
    UtteranceOutcome,
)
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.journal_entries import (
    EntryUnreadable,
    JournalEntry,
    checkpoint_json,
    ending_json,
    journaled_session,
    not_resumable,
    origin_json,
    outcome_json,
    taken_over,
    token_digest,
)
from asr_service.infrastructure.persistence.tables import journaled_outcomes, journaled_sessions
from asr_service.shared.clock import Clock

log = structlog.get_logger(__name__)

_READ_AT_ONCE = 100
_SWEPT_AT_ONCE = 20  # expired sessions that a new one takes away: more than come, and few enough to be quick


class SqlSessionJournal:
    """Implements ``SessionJournal``; raises ``StorageUnavailable`` when the database does.

    Every call is one transaction. Its first statement changes the row of the session if the epoch is right, and so holds
    the row until the commit: of two that want it, the second sees what the first has made of it.
    """

    def __init__(self, database: Database, expires_s: float, clock: Clock) -> None:
        """Takes an open database.

        Args:
            database: With the schema of this release.
            expires_s: Seconds that a session is kept after the last write.
            clock: Its wall clock must agree with those of the other servers to a small part of ``expires_s``.
        """
        self._database = database
        self._expires = timedelta(seconds=expires_s)
        self._clock = clock
        insert = database.insert(journaled_sessions)
        # A repeated begin may follow so late that what the first one wrote has expired.
        self._begin = insert.on_conflict_do_update(
            index_elements=[journaled_sessions.c.session_id], set_={"expires_at": insert.excluded.expires_at}
        )
        self._add_outcome = database.insert(journaled_outcomes).on_conflict_do_nothing(
            index_elements=[journaled_outcomes.c.session_id, journaled_outcomes.c.utterance]
        )

    async def begin(self, session: JournaledSession, token: str) -> None:
        now = self._clock.now()
        row = {
            "session_id": session.session_id,
            "token_digest": token_digest(token, session.caller),
            "tenant": session.caller.tenant,
            "epoch": session.epoch,
            "expires_at": now + self._expires,
            "origin": origin_json(session),
            "checkpoint": checkpoint_json(session.checkpoint),
        }
        async with self._database.writing() as connection:
            await connection.execute(self._begin, row)
            await connection.execute(_sweep(now))

    async def advance(
        self,
        session_id: str,
        epoch: int,
        outcomes: Sequence[UtteranceOutcome],
        checkpoint: SessionCheckpoint | None,
        ending: SessionEnded | None = None,
    ) -> None:
        now = self._clock.now()
        rows = [
            {"session_id": session_id, "utterance": outcome.utterance, "outcome": outcome_json(outcome)}
            for outcome in outcomes
        ]
        changes: dict[str, Any] = {"expires_at": now + self._expires}
        if checkpoint is not None:
            changes["checkpoint"] = checkpoint_json(checkpoint)
        if ending is not None:
            changes["ending"] = ending_json(ending)
        change = (
            update(journaled_sessions)
            .where(
                journaled_sessions.c.session_id == session_id,
                journaled_sessions.c.epoch == epoch,
                journaled_sessions.c.expires_at > now,
            )
            .values(changes)
            .returning(journaled_sessions.c.tenant)
        )
        async with self._database.writing() as connection:
            tenant = await connection.scalar(change)
            if tenant is None:
                raise taken_over()
            if rows:
                await connection.execute(self._add_outcome, [{**row, "tenant": tenant} for row in rows])

    async def claim(self, token: str, caller: Caller) -> JournaledSession:
        now = self._clock.now()
        taken = (
            update(journaled_sessions)
            .where(
                journaled_sessions.c.token_digest == token_digest(token, caller),
                journaled_sessions.c.tenant == caller.tenant,
                journaled_sessions.c.expires_at > now,
            )
            .values(epoch=journaled_sessions.c.epoch + 1, expires_at=now + self._expires)
            .returning(journaled_sessions)
        )
        async with self._database.writing() as connection:
            row = (await connection.execute(taken)).one_or_none()
            if row is None:
                raise not_resumable()
            session = await _session(connection, row)
            if session is None:  # inside the transaction: who cannot read a session takes it from nobody
                raise not_resumable()
            return session

    async def sessions(self) -> AsyncGenerator[JournaledSession, None]:
        last = ""
        while True:
            page = (
                select(journaled_sessions)
                .where(journaled_sessions.c.session_id > last, journaled_sessions.c.expires_at > self._clock.now())
                .order_by(journaled_sessions.c.session_id)
                .limit(_READ_AT_ONCE)
            )
            async with self._database.reading() as connection:  # the outcomes may be newer than the rest
                rows = (await connection.execute(page)).all()
                found = [await _session(connection, row) for row in rows]
            for session in found:
                if session is not None:
                    yield session
            if len(rows) < _READ_AT_ONCE:
                return
            last = rows[-1].session_id

    async def expiries(self, session_ids: Collection[str]) -> Mapping[str, datetime]:
        query = select(journaled_sessions.c.session_id, journaled_sessions.c.expires_at).where(
            journaled_sessions.c.session_id.in_(session_ids), journaled_sessions.c.expires_at > self._clock.now()
        )
        async with self._database.reading() as connection:
            return {row.session_id: row.expires_at for row in await connection.execute(query)}


async def _session(connection: AsyncConnection, row: Row[Any]) -> JournaledSession | None:
    """The session of a row of ``journaled_sessions``; ``None``: it cannot be read."""
    outcomes = await connection.scalars(
        select(journaled_outcomes.c.outcome)
        .where(journaled_outcomes.c.session_id == row.session_id)
        .order_by(journaled_outcomes.c.utterance)
    )
    try:
        return journaled_session(JournalEntry(row.origin, row.checkpoint, outcomes.all(), row.ending, row.epoch))
    except EntryUnreadable as error:
        log.warning("journal_entry_unreadable", session_id=row.session_id, reason=str(error))
        return None


def _sweep(now: datetime) -> Delete:
    """Takes away the sessions that expired first; a row that somebody holds is left to others."""
    expired = (
        select(journaled_sessions.c.session_id)
        .where(journaled_sessions.c.expires_at <= now)
        .order_by(journaled_sessions.c.expires_at)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return delete(journaled_sessions).where(journaled_sessions.c.session_id.in_(expired))

"""Stored before told: writes what a session says to the journal, and tells how far that has come."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from asr_service.domain.events.session_events import ResumeOffer, SessionEnded
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.repositories.session_journal import (
    JournaledSession,
    SessionJournal,
    SessionTakenOver,
    UtteranceOutcome,
)
from asr_service.domain.value_objects.session_checkpoint import SessionCheckpoint

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0  # between attempts at a store that does not answer
_LEAST_PAUSE_S = 0.25  # also when others write well meanwhile: a session that fails alone is not tried all the time
_LONGEST_RENEWAL_S = 60.0  # how long it may take until a session learns that another server has it
_MAX_PENDING_OUTCOMES = 1_000  # an hour of speech; what is worse than that nobody waits for


@dataclass(slots=True)
class JournalState:
    """What the sessions of this process know of the journal together.

    Attributes:
        available: Whether the last write went well. While it is false nobody waits for a write.
        on_write: Told of each write how it went: ``done``, ``failed`` or ``refused``.
    """

    available: bool = True
    on_write: Callable[[str], None] = lambda _outcome: None
    _back: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    def change(self, *, available: bool) -> None:
        """Takes how the last write went; when the journal is back, every session that pauses tries again."""
        self.available = available
        if available:
            self._back.set()
        else:
            self._back.clear()

    async def pause(self, longest_s: float) -> None:
        """Between two attempts of a session: until a write of any session goes well, at most ``longest_s``."""
        await asyncio.sleep(min(_LEAST_PAUSE_S, longest_s))
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s - _LEAST_PAUSE_S):
                await self._back.wait()


@dataclass(slots=True)
class _Pending:
    outcomes: list[UtteranceOutcome] = field(default_factory=list)
    checkpoint: SessionCheckpoint | None = None
    ending: SessionEnded | None = None
    renewal: bool = False

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.checkpoint or self.ending or self.renewal)

    def followed_by(self, newer: "_Pending") -> "_Pending":
        """Both, to be written together."""
        return _Pending(
            self.outcomes + newer.outcomes,
            newer.checkpoint or self.checkpoint,
            newer.ending or self.ending,
            newer.renewal or self.renewal,
        )


class SessionKeeper:
    """Keeps one session. Its writes are one after the other, in a task of its own; what comes meanwhile goes together.

    A journal that is slow or away holds nobody up: what is not written waits here and is tried again, at most
    ``_MAX_PENDING_OUTCOMES`` finals; beyond that the session is not kept any more. The client has the audio of what is
    not written, so nothing is lost if this process ends meanwhile.

    Args:
        journal: Where to.
        session: As it is begun, or as it was claimed.
        token: Of a new session; ``None``: it is in the journal already.
        offer: What the client is told.
        wait_s: ``written`` waits no longer.
        state: Shared by all keepers of the journal.
    """

    def __init__(
        self,
        journal: SessionJournal,
        session: JournaledSession,
        token: str | None,
        *,
        offer: ResumeOffer,
        wait_s: float,
        state: JournalState,
    ) -> None:
        self.session = session
        self.offer = offer
        self.new = token is not None
        self._journal = journal
        self._token = token
        self._wait_s = wait_s
        self._state = state
        self._pending = _Pending()
        self._given_up = False
        self._writing: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._on_safe: Callable[[SessionCheckpoint], None] = lambda _checkpoint: None
        self._on_lost: Callable[[SessionTakenOver], None] = lambda _error: None

    def start(self, on_safe: Callable[[SessionCheckpoint], None], on_lost: Callable[[SessionTakenOver], None]) -> None:
        """Begins to write.

        Args:
            on_safe: Told of each checkpoint that is written; what lies before it will not be needed again.
            on_lost: Told when another connection has taken the session over; nothing is written from then on.
        """
        self._on_safe, self._on_lost = on_safe, on_lost
        self._renewing = asyncio.create_task(self._renew())
        self._work()

    def put(
        self,
        outcomes: Sequence[UtteranceOutcome],
        checkpoint: SessionCheckpoint | None,
        ending: SessionEnded | None,
    ) -> None:
        """Has something written, soon."""
        if len(self._pending.outcomes) + len(outcomes) > _MAX_PENDING_OUTCOMES:
            self._give_up()
        if self._given_up:
            return
        self._pending = self._pending.followed_by(_Pending(list(outcomes), checkpoint, ending))
        self._work()

    async def written(self) -> bool:
        """Whether everything so far is written; waits for it no longer than ``wait_s``, and not while the journal is away."""
        writing = self._writing
        if writing is not None and not writing.done() and self._state.available:
            await asyncio.wait([writing], timeout=self._wait_s)
        return not self._given_up and (writing is None or writing.done())

    async def close(self) -> None:
        """Ends the writing; what is not written now is not."""
        tasks = [task for task in (self._renewing, self._writing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _renew(self) -> None:
        """Writes now and then even if there is nothing to write, so that a silent session does not expire."""
        while not self._given_up:
            await asyncio.sleep(min(self.offer.expires_s / 3, _LONGEST_RENEWAL_S))
            self._pending.renewal = True
            self._work()

    def _work(self) -> None:
        if (self._token or self._pending) and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._token or self._pending:
            try:
                await self._write()
            except StorageUnavailable as error:
                self._note(available=False, outcome="failed", error=error)
                await self._state.pause(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except SessionTakenOver as error:
                self._note(available=True, outcome="refused")
                self._give_up()
                self._on_lost(error)
            else:
                self._note(available=True, outcome="done")
                pause_s = _FIRST_PAUSE_S

    async def _write(self) -> None:
        if self._token is not None:
            await self._journal.begin(self.session, self._token)
            self._token = None
            return
        written, self._pending = self._pending, _Pending()
        try:
            await self._journal.advance(
                self.session.session_id, self.session.epoch, written.outcomes, written.checkpoint, written.ending
            )
        except BaseException:
            self._pending = written.followed_by(self._pending)
            raise
        if written.checkpoint is not None:
            self._on_safe(written.checkpoint)

    def _note(self, *, available: bool, outcome: str, error: StorageUnavailable | None = None) -> None:
        self._state.on_write(outcome)
        if available != self._state.available:
            self._state.change(available=available)
            log.warning("journal_back" if available else "journal_unavailable", reason=str(error) if error else None)

    def _give_up(self) -> None:
        if not self._given_up:
            log.warning("session_not_kept", pending_outcomes=len(self._pending.outcomes))
        self._given_up = True
        self._token, self._pending = None, _Pending()

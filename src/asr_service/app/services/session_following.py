"""Following a session read-only: first what is stored of it, then what is said, until it is over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from asr_service.app.services.admission import ServiceOverloaded
from asr_service.app.services.drain import ServerStopping
from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.events.recognition_events import UtteranceEvent, UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionResumed
from asr_service.domain.ports.live_feed import LiveEvents, LiveFeed
from asr_service.domain.ports.transcript_reader import TranscriptReader
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.session_status import SessionStatus

Told: TypeAlias = SessionRecord | UtteranceEvent
Tell: TypeAlias = Callable[[Told], Awaitable[None]]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

_SILENCE_S = 3.0  # after so long the store is asked what has become of the session
_STORED_AFTER_S = 0.2  # between two looks whether the end, of which the feed told, is stored
_LOOKS = 50
_PAGE = 200


class SessionFollowing:
    """Lets callers follow their sessions.

    Attributes:
        max_followers: So many may follow at once on this server; each holds up to 256 events.

    Args:
        transcripts: What is stored.
        feed: What is said.
        sleep: Waits for the store.
    """

    def __init__(
        self,
        transcripts: TranscriptReader,
        feed: LiveFeed,
        *,
        max_followers: int = 1_000,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._transcripts = transcripts
        self._feed = feed
        self.max_followers = max_followers
        self._sleep = sleep
        self._scopes: set[asyncio.Timeout] = set()  # of those who follow
        self._stopping = False

    @property
    def followers(self) -> int:
        """How many follow sessions on this server."""
        return len(self._scopes)

    def announce_stop(self, deadline_s: float) -> None:
        """See ``Audience``: followers have nothing to finish, and go on at another server."""
        self._stopping = True
        for scope in self._scopes:
            scope.reschedule(asyncio.get_running_loop().time())

    def demand_last_words(self) -> None:
        """See ``Audience``; they have gone already."""

    async def follow(self, caller: Caller, session_id: str, first: int, tell: Tell) -> None:
        """Tells of a session until it is over for good.

        Its record is told at the beginning, and whenever its status is another. Finals come in the order of the utterances,
        each once; one that the feed has lost is fetched from the store, as soon as it is there.

        Args:
            caller: Must be of its tenant.
            session_id: Which.
            first: Utterances before this one are known already.
            tell: Is told.

        Raises:
            NotFound: There is no such session for this caller.
            ServiceOverloaded: Too many follow already.
            FollowerTooSlow: ``tell`` takes longer than the session.
            ServerStopping: The server is about to stop.
            StorageUnavailable: The store does not answer.
        """
        if self._stopping:
            raise _stopping()
        if self.followers >= self.max_followers:
            raise ServiceOverloaded("Too many follow sessions here.", hint="Try again later.", retry_after_s=5.0)
        following = _Following(self._transcripts, caller, session_id, first, tell, self._sleep)
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.add(scope)
                try:
                    await self._transcripts.get_session(caller, session_id)
                    async with self._feed.follow(session_id) as events:
                        await following.run(events)
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            raise _stopping() from None


class _Following:
    """One follower of one session.

    Attributes:
        next_utterance: The first whose outcome was not told.
    """

    def __init__(
        self, transcripts: TranscriptReader, caller: Caller, session_id: str, first: int, tell: Tell, sleep: Sleep
    ) -> None:
        self.next_utterance = first
        self._transcripts = transcripts
        self._caller = caller
        self._session_id = session_id
        self._tell = tell
        self._sleep = sleep
        self._told: SessionRecord | None = None
        self._missed: set[int] = (
            set()
        )  # utterances of which neither feed nor store has told; without words, or too early
        self._cursor: str | None = None  # of the stored results, a page before the last one at most

    async def run(self, events: LiveEvents) -> None:
        """Returns when nothing more will be said."""
        is_over = await self._look()
        while not is_over:
            event = await events.next(_SILENCE_S)
            match event:
                case None | SessionResumed():
                    is_over = await self._look()
                case SessionEnded():
                    await self._await_end(event)
                    is_over = await self._look()
                case UtteranceEvent():
                    await self._pass_on(event)

    async def _look(self) -> bool:
        """Tells what is stored and was not told; returns whether the session is over for good."""
        record = await self._record()
        if self._told is None:
            await self._tell_record(record)
        await self._tell_stored()
        if record.status is not (self._told or record).status or _is_over(record):
            await self._tell_record(record)
        return _is_over(record)

    async def _record(self) -> SessionRecord:
        return await self._transcripts.get_session(self._caller, self._session_id)

    async def _tell_record(self, record: SessionRecord) -> None:
        if record != self._told:
            self._told = record
            await self._tell(record)

    async def _await_end(self, event: SessionEnded) -> None:
        """The end may be told before it is stored, with all that came before it."""
        for _ in range(_LOOKS):
            record = await self._record()
            if record.status is SessionStatus.CLOSED or record.epoch > event.epoch:
                return
            await self._sleep(_STORED_AFTER_S)

    async def _pass_on(self, event: UtteranceEvent) -> None:
        if isinstance(event, UtteranceFinalized | UtteranceFailed):
            if event.utterance > self.next_utterance:
                await self._tell_stored(before=event.utterance)
            if event.utterance >= self.next_utterance:
                await self._tell_outcome(event)
        elif event.utterance >= self.next_utterance:
            await self._tell(event)

    async def _tell_outcome(self, event: UtteranceFinalized | UtteranceFailed) -> None:
        self._missed.discard(event.utterance)
        if event.utterance >= self.next_utterance:
            self._missed.update(range(self.next_utterance, event.utterance))
            self.next_utterance = event.utterance + 1
        await self._tell(event)

    async def _tell_stored(self, before: int | None = None) -> None:
        """The stored finals that were not told; what failed is not stored, nor what has no words."""
        cursor = self._cursor
        while True:
            page = await self._transcripts.list_results(self._caller, self._session_id, cursor=cursor, limit=_PAGE)
            for result in page.items:
                if before is not None and result.utterance >= before:
                    return
                if result.utterance >= self.next_utterance or result.utterance in self._missed:
                    await self._tell_outcome(_final_of(result))
            if page.next_cursor is None:
                return
            cursor = page.next_cursor
            if not self._missed:
                self._cursor = cursor


def _stopping() -> ServerStopping:
    return ServerStopping("This server is about to stop.", hint="Follow the session again.", retry_after_s=0.0)


def _is_over(record: SessionRecord) -> bool:
    """One that was broken off may be resumed for as long as the journal says."""
    return record.status in (SessionStatus.CLOSED, SessionStatus.INTERRUPTED) and record.resumable_until is None


def _final_of(result: RecognitionResult) -> UtteranceFinalized:
    return UtteranceFinalized(
        session_id=result.session_id,
        at_s=0.0,
        utterance=result.utterance,
        span=result.span,
        hypothesis=result.hypothesis,
        endpoint_at_s=0.0,
        durable=True,
    )

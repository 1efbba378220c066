"""What is said in live sessions, for followers: in one process, and between servers through channels of Redis."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from asr_service.domain.events.recognition_events import (
    PartialRecognized,
    SpeechEnded,
    SpeechStarted,
    UtteranceFailed,
    UtteranceFinalized,
)
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionResumed
from asr_service.domain.ports.live_feed import FollowerTooSlow
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.messaging.integration_events import EventUnreadable, IntegrationEvents
from asr_service.infrastructure.messaging.node_link import RedisChannels
from asr_service.infrastructure.messaging.redis_commands import RedisCommands

log = structlog.get_logger(__name__)

FOLLOWED_EVENTS: Final = (
    SpeechStarted,
    PartialRecognized,
    SpeechEnded,
    UtteranceFinalized,
    UtteranceFailed,
    SessionResumed,
    SessionEnded,
)
"""What followers are told of."""

_CAPACITY: Final = 256  # events of one follower


class _Follower:
    """Implements ``LiveEvents``. Bounded: from half full on partials are left out; who lets it fill up is put out."""

    def __init__(self) -> None:
        self._events: deque[SessionEvent] = deque()
        self._overflowed = False
        self._filled = asyncio.Event()

    def put(self, event: SessionEvent) -> None:
        if isinstance(event, PartialRecognized) and len(self._events) >= _CAPACITY // 2:
            return
        if len(self._events) >= _CAPACITY:
            self._overflowed = True
        else:
            self._events.append(event)
        self._filled.set()

    async def next(self, timeout_s: float) -> SessionEvent | None:
        if self._overflowed:
            raise FollowerTooSlow("The session goes on faster than it is read.", hint="Follow it again.")
        if not self._events:
            self._filled.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._filled.wait()
            except TimeoutError:
                return None
        return self._events.popleft()


class InProcessLiveFeed:
    """Implements ``LiveFeed`` for the sessions of one process; its ``handle`` is a subscriber of the event bus."""

    def __init__(self) -> None:
        self._followers: dict[str, list[_Follower]] = {}

    async def handle(self, event: SessionEvent) -> None:
        """Tells the followers of the session."""
        self.tell(event)

    def tell(self, event: SessionEvent) -> None:
        """The same without waiting for anything."""
        for follower in self._followers.get(event.session_id, ()):
            follower.put(event)

    def followers_of(self, session_id: str) -> int:
        """How many follow a session."""
        return len(self._followers.get(session_id, ()))

    @asynccontextmanager
    async def follow(self, session_id: str) -> AsyncIterator[_Follower]:
        follower = _Follower()
        followers = self._followers.setdefault(session_id, [])
        followers.append(follower)
        try:
            yield follower
        finally:
            followers.remove(follower)
            if not followers:
                del self._followers[session_id]


class RedisLiveFeed:
    """Implements ``LiveFeed`` for the sessions of all servers; a session has a channel, whether it is followed or not.

    What is published while Redis is away is lost, and not waited for.
    """

    def __init__(
        self, store: RedisCommands, channels: RedisChannels, events: IntegrationEvents, *, prefix: str = "asr"
    ) -> None:
        """Takes an open Redis.

        Args:
            store: Where events are published.
            channels: Where they are heard.
            events: Their form there.
            prefix: Of all channels.
        """
        self._store = store
        self._channels = channels
        self._events = events
        self._prefix = f"{prefix}:live"
        self._here = InProcessLiveFeed()
        self._away = False

    async def handle(self, event: SessionEvent) -> None:
        """Tells the followers of the session, wherever they are."""
        try:
            await self._store.command("PUBLISH", self._channel(event.session_id), self._events.to_json(event))
        except StorageUnavailable as error:
            if not self._away:
                log.warning("live_feed_unavailable", reason=error.message)
            self._away = True
        else:
            self._away = False

    @asynccontextmanager
    async def follow(self, session_id: str) -> AsyncIterator[_Follower]:
        async with self._here.follow(session_id) as follower:
            await self._channels.subscribe(self._channel(session_id), self._take)
            try:
                yield follower
            finally:
                if self._here.followers_of(session_id) == 1:  # this one, which goes
                    await self._channels.unsubscribe(self._channel(session_id))

    def _take(self, text: str) -> None:
        try:
            event = self._events.from_json(text)
        except EventUnreadable as error:
            log.warning("live_event_unreadable", reason=str(error))
        else:
            self._here.tell(event)

    def _channel(self, session_id: str) -> str:
        return f"{self._prefix}:{session_id}"

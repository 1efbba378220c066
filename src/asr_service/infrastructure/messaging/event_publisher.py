"""The event bus inside one process: a bounded queue and a task for each subscriber."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from asr_service.domain.events.session_events import (
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.shared.correlation import correlated
from asr_service.shared.errors import AsrError

log = structlog.get_logger(__name__)

Handler: TypeAlias = Callable[[SessionEvent], Awaitable[None]]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]
Report: TypeAlias = Callable[[str], None]
"""Told the name of a subscriber."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Which errors of a handler are worth another try, and how often; the order of events is kept meanwhile.

    Attributes:
        retryable: Kinds of errors after which the same event may succeed.
        attempts: Tries in all; ``None`` goes on until the event is handled or the bus is closed.
        first_delay_s: Wait before the second try; each further wait is twice as long.
        max_delay_s: The longest wait.
    """

    retryable: tuple[type[Exception], ...] = ()
    attempts: int | None = 1
    first_delay_s: float = 0.1
    max_delay_s: float = 30.0

    def allows(self, error: BaseException, attempt: int) -> bool:
        """Whether another try follows on the given one; tries count from 1."""
        return isinstance(error, self.retryable) and (self.attempts is None or attempt < self.attempts)

    def delay_s(self, attempt: int) -> float:
        """The wait after the given try."""
        doublings = min(attempt - 1, 32)  # 2**32 exceeds any cap; an endless retry must not overflow a float
        return float(min(self.first_delay_s * 2**doublings, self.max_delay_s))


NO_RETRY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class Subscription:
    """One row of the table of subscribers.

    Attributes:
        name: Unique; it stands in logs and metrics.
        handler: Called with one event at a time, in the order of publication.
        events: The kinds of events that are of interest; others take no room in the queue.
        capacity: Length of the queue; see ``InProcessEventBus`` for what happens when it is full.
        retry: What to do about errors of the handler.
        stored_only: Whether it is told nothing of sessions whose client does not want them kept.
    """

    name: str
    handler: Handler
    events: tuple[type[SessionEvent], ...] = (SessionEvent,)
    capacity: int = 10_000
    retry: RetryPolicy = NO_RETRY
    stored_only: bool = False


class InProcessEventBus:
    """Hands each event to every subscriber that is interested, each at its own pace.

    A subscriber's queue is bounded. When it is full the newest event is refused and counted, so that what was taken
    stays in order and complete up to the gap; the first refusal of a burst and the end of the burst are logged. One
    subscriber's delay or failure never reaches another, nor whoever publishes. All calls come from one event loop.
    """

    def __init__(
        self,
        subscriptions: Sequence[Subscription],
        *,
        on_dropped: Report = lambda _name: None,
        on_failed: Report = lambda _name: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Takes the whole table of subscribers; nothing runs before ``start``.

        Args:
            subscriptions: Who listens.
            on_dropped: Called for each event that a subscriber does not see, or not to the end.
            on_failed: Called for each event that a subscriber's handler gave up on.
            sleep: Waits between tries.
        """
        names = [subscription.name for subscription in subscriptions]
        if len(set(names)) != len(names):
            raise ValueError(f"subscribers share a name: {', '.join(sorted(names))}")
        self._subscribers = {
            subscription.name: _Subscriber(subscription, on_dropped, on_failed, sleep) for subscription in subscriptions
        }
        self._closed = False
        self._unstored: set[str] = set()  # live sessions whose client does not want them kept

    def publish(self, event: SessionEvent) -> None:
        """Puts the event into every interested queue; after ``close`` it is counted as dropped."""
        stored = self._is_stored(event)
        for subscriber in self._subscribers.values():
            if stored or not subscriber.stored_only:
                subscriber.offer(event, closed=self._closed)

    def _is_stored(self, event: SessionEvent) -> bool:
        match event:
            case SessionRecovered():
                return event.config.stored
            case SessionStarted() | SessionResumed() if not event.config.stored:
                self._unstored.add(event.session_id)
            case SessionEnded() if event.session_id in self._unstored:
                self._unstored.remove(event.session_id)
                return False
        return event.session_id not in self._unstored

    def queued(self, name: str) -> int:
        """Events that the subscriber has not handled yet, the one in its hands included."""
        return self._subscribers[name].queued

    async def start(self) -> None:
        """Begins to deliver, what was published before included."""
        for subscriber in self._subscribers.values():
            subscriber.start()

    async def close(self, deadline_s: float) -> None:
        """Takes no more events, and lets the subscribers handle what is queued for at most ``deadline_s``.

        What is left then is logged and counted as dropped. Idempotent.
        """
        self._closed = True
        await asyncio.gather(*(subscriber.finish(deadline_s) for subscriber in self._subscribers.values()))


class _Subscriber:
    """A subscription at work."""

    def __init__(self, subscription: Subscription, on_dropped: Report, on_failed: Report, sleep: Sleep) -> None:
        self._subscription = subscription
        self._on_dropped = on_dropped
        self._on_failed = on_failed
        self._sleep = sleep
        self._queue: asyncio.Queue[SessionEvent] = asyncio.Queue(subscription.capacity)
        self._in_hand = 0
        self._refused = 0  # in the burst at hand
        self._task: asyncio.Task[None] | None = None

    @property
    def queued(self) -> int:
        return self._queue.qsize() + self._in_hand

    @property
    def stored_only(self) -> bool:
        return self._subscription.stored_only

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"events:{self._subscription.name}")

    def offer(self, event: SessionEvent, *, closed: bool) -> None:
        if not isinstance(event, self._subscription.events):
            return
        if closed or self._queue.full():
            self._refuse(event, closed=closed)
        else:
            self._queue.put_nowait(event)

    async def finish(self, deadline_s: float) -> None:
        task, self._task = self._task, None
        if task is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self._queue.join()
        self._abandon()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _refuse(self, event: SessionEvent, *, closed: bool) -> None:
        self._on_dropped(self._subscription.name)
        if not self._refused:
            log.error(
                "events_refused",
                subscriber=self._subscription.name,
                reason="closed" if closed else "queue full",
                capacity=self._subscription.capacity,
                event_type=type(event).__name__,
                session_id=event.session_id,
            )
        self._refused += 1

    def _abandon(self) -> None:
        undelivered = self.queued
        for _ in range(undelivered):
            self._on_dropped(self._subscription.name)
        while not self._queue.empty():
            self._queue.get_nowait()
        self._in_hand = 0
        if undelivered:
            log.error("events_undelivered", subscriber=self._subscription.name, events=undelivered)

    async def _run(self) -> None:
        while True:
            event = await self._queue.get()
            self._in_hand = 1
            with correlated(session_id=event.session_id):
                await self._handle(event)
            self._in_hand = 0
            self._queue.task_done()
            self._note_room()

    def _note_room(self) -> None:
        """A burst of refusals ends when half of the queue is free: at its brim it would end with every event."""
        if self._refused and self._queue.qsize() <= self._subscription.capacity // 2:
            log.warning("events_accepted_again", subscriber=self._subscription.name, refused=self._refused)
            self._refused = 0

    async def _handle(self, event: SessionEvent) -> None:
        """Returns when the event is handled or given up."""
        attempt = 1
        while (error := await self._attempt(event)) is not None:
            if not self._subscription.retry.allows(error, attempt):
                self._give_up(event, error, attempt)
                return
            delay_s = self._subscription.retry.delay_s(attempt)
            if attempt == 1:
                log.warning("event_retried", **self._facts(event), error=slug_of(error), delay_s=delay_s)
            await self._sleep(delay_s)
            attempt += 1
        if attempt > 1:
            log.info("event_handled_after_retries", **self._facts(event), attempts=attempt)

    async def _attempt(self, event: SessionEvent) -> BaseException | None:
        """The error of one try. A cancellation that nobody asked of this task is an error of the handler."""
        try:
            await self._subscription.handler(event)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error
        except Exception as error:
            return error
        return None

    def _give_up(self, event: SessionEvent, error: BaseException, attempts: int) -> None:
        self._on_failed(self._subscription.name)
        stack = None if isinstance(error, AsrError) else "".join(traceback.format_tb(error.__traceback__))
        log.error("event_failed", **self._facts(event), error=slug_of(error), attempts=attempts, stack=stack)

    def _facts(self, event: SessionEvent) -> dict[str, str]:
        return {
            "subscriber": self._subscription.name,
            "event_type": type(event).__name__,
            "session_id": event.session_id,
        }


def slug_of(error: BaseException) -> str:
    """Names the error without its message, which may quote what was said."""
    return error.code if isinstance(error, AsrError) else type(error).__name__

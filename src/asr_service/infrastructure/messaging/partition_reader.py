"""Reads one partition of the event streams for one subscriber, at least once and in order."""

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import suppress

import structlog

from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.messaging.event_publisher import Report, RetryPolicy, Sleep, Subscription, slug_of
from asr_service.infrastructure.messaging.integration_events import EventUnreadable, IntegrationEvents
from asr_service.infrastructure.messaging.redis_streams import RedisStreams, StreamEntry
from asr_service.shared.correlation import correlated

log = structlog.get_logger(__name__)

_READ_AT_ONCE = 20
_WAIT_MS = 500  # for the next event; so long a server that stops waits for it at most
_LEASE_PAUSE_S = 2.0  # between two looks whether a partition is free
_RENEWED_AFTER_S = 3.0  # of a lease of 15 s, while a batch is handled slowly
_OUTAGE_PAUSE_S = 1.0  # between two attempts at a Redis that is away
_RECLAIM_AFTER_READS = 60  # half a minute of silence: events whose way here was broken off are fetched
_DEFECTS = RetryPolicy((Exception,), attempts=3, first_delay_s=0.2, max_delay_s=2.0)
"""For errors that the subscriber did not foresee: they may have to do with the moment, and most do not."""


class _LeaseLost(Exception):
    """Another node reads the partition now."""


class PartitionReader:
    """A subscriber's reader of one partition, as long as this node has the lease on it.

    An event is acknowledged when its handler returns, or when it is a dead letter, so a reader that dies leaves it to the
    next one. Errors that the subscription calls retryable are retried as it says, while the partition waits; other errors
    a few times. What is given up becomes a dead letter, and the partition goes on.

    Args:
        subscription: Its retries must not wait longer than a part of the lease.
        on_failed: Told of each event that became a dead letter.
    """

    def __init__(
        self,
        subscription: Subscription,
        partition: int,
        *,
        streams: RedisStreams,
        events: IntegrationEvents,
        node_id: str,
        on_failed: Report,
        sleep: Sleep,
    ) -> None:
        self._subscription = subscription
        self._partition = partition
        self._streams = streams
        self._events = events
        self._node_id = node_id
        self._on_failed = on_failed
        self._sleep = sleep
        self._closing = asyncio.Event()
        self._held_at_s = 0.0  # when the lease was last renewed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to read, or to wait for the lease."""
        self._task = asyncio.create_task(self._run(), name=f"events:{self._group}:{self._partition}")

    async def finish(self, deadline_s: float) -> None:
        """Handles what there is for at most ``deadline_s``, and leaves the rest, and the lease, to others."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=deadline_s)
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def _group(self) -> str:
        return self._subscription.name

    async def _run(self) -> None:
        away = False
        while True:
            try:
                await self._read_if_free()
                away, pause_s = False, _LEASE_PAUSE_S
            except _LeaseLost:
                log.warning("event_partition_lost", subscriber=self._group, partition=self._partition)
                pause_s = _LEASE_PAUSE_S
            except StorageUnavailable as error:
                if not away:
                    log.warning("event_stream_unavailable", subscriber=self._group, reason=error.message)
                away, pause_s = True, _OUTAGE_PAUSE_S
            except Exception as error:  # a defect of ours: it must not end the reading, or nothing is stored any more
                self._note_defect(error)
                pause_s = _LEASE_PAUSE_S
            if self._closing.is_set():
                return
            await self._pause(pause_s)

    def _note_defect(self, error: Exception) -> None:
        """Without its message, which may quote what was said."""
        stack = "".join(traceback.format_tb(error.__traceback__))
        log.error("event_reader_failed", subscriber=self._group, error=slug_of(error), stack=stack)

    async def _read_if_free(self) -> None:
        if await self._take() or await self._renew():  # after an outage the lease may still be this node's
            await self._read_on()
            await self._streams.release(self._group, self._partition, self._node_id)

    async def _pause(self, seconds: float) -> None:
        """Shorter if the node is about to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _take(self) -> bool:
        self._held_at_s = asyncio.get_running_loop().time()
        return await self._streams.take(self._group, self._partition, self._node_id)

    async def _renew(self) -> bool:
        self._held_at_s = asyncio.get_running_loop().time()
        return await self._streams.renew(self._group, self._partition, self._node_id)

    async def _read_on(self) -> None:
        """Reads until the node is about to stop and nothing is left.

        Raises:
            _LeaseLost: Another node reads on.
        """
        await self._streams.join(self._group, self._partition)
        await self._handle_left_over()
        await self._streams.forget_gone_readers(self._group, self._partition)
        silent_reads = 0
        while True:
            await self._expect_lease()
            wait_ms = None if self._closing.is_set() else _WAIT_MS
            entries = await self._streams.read(
                self._group, self._partition, self._node_id, count=_READ_AT_ONCE, wait_ms=wait_ms
            )
            if not entries and wait_ms is None:
                return
            silent_reads = 0 if entries else silent_reads + 1
            if silent_reads == _RECLAIM_AFTER_READS:
                silent_reads = 0
                await self._handle_left_over()
            await self._handle_all(entries)

    async def _handle_left_over(self) -> None:
        """What the last reader was given and has not acknowledged, or this one without getting it."""
        place = "0-0"
        while True:
            place, entries = await self._streams.claim(self._group, self._partition, self._node_id, place)
            if entries:
                log.info("events_redelivered", subscriber=self._group, partition=self._partition, events=len(entries))
            await self._handle_all(entries)
            if place == "0-0":
                return

    async def _handle_all(self, entries: Sequence[StreamEntry]) -> None:
        for entry in entries:
            if asyncio.get_running_loop().time() - self._held_at_s > _RENEWED_AFTER_S:
                await self._expect_lease()
            if entry.group in (None, self._group):
                await self._handle(entry)
            await self._streams.acknowledge(self._group, self._partition, entry.entry_id)

    async def _handle(self, entry: StreamEntry) -> None:
        """Returns when the event is handled, of no interest, or a dead letter."""
        try:
            event = self._events.from_json(entry.text)
        except EventUnreadable as error:
            await self._bury(entry, "event_unreadable", 1, reason=str(error))
            return
        if isinstance(event, self._subscription.events):
            with correlated(session_id=event.session_id):
                await self._try(entry, event)

    async def _try(self, entry: StreamEntry, event: SessionEvent) -> None:
        attempt = 1
        while (error := await self._attempt(event)) is not None:
            expected = self._subscription.retry
            retry = expected if isinstance(error, expected.retryable) else _DEFECTS
            if not retry.allows(error, attempt):
                await self._bury(entry, slug_of(error), attempt, event_type=type(event).__name__)
                return
            if attempt == 1:
                log.warning("event_retried", subscriber=self._group, error=slug_of(error))
            await self._sleep(retry.delay_s(attempt))
            await self._expect_lease()
            attempt += 1

    async def _attempt(self, event: SessionEvent) -> Exception | None:
        try:
            await self._subscription.handler(event)
        except Exception as error:  # whatever it is, the events behind must be handled
            return error
        return None

    async def _expect_lease(self) -> None:
        """A lease that was lost is not taken again in the midst of a batch: others may have handled the rest of it."""
        if not await self._renew():
            raise _LeaseLost

    async def _bury(self, entry: StreamEntry, error: str, attempts: int, **facts: str) -> None:
        await self._streams.bury(entry.text, self._group, error, attempts)
        self._on_failed(self._group)
        log.error("event_failed", subscriber=self._group, error=error, attempts=attempts, **facts)

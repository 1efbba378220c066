"""The event bus of several servers: events go into Redis Streams, and whichever server reads them there handles them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from asr_service.domain.events.recognition_events import UtteranceFailed, UtteranceFinalized
from asr_service.domain.events.session_events import (
    SessionEnded,
    SessionEvent,
    SessionRecovered,
    SessionResumed,
    SessionStarted,
)
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.messaging.event_publisher import (
    InProcessEventBus,
    Report,
    RetryPolicy,
    Sleep,
    Subscription,
)
from asr_service.infrastructure.messaging.integration_events import IntegrationEvents
from asr_service.infrastructure.messaging.partition_reader import PartitionReader
from asr_service.infrastructure.messaging.redis_streams import PARTITIONS, RedisStreams

OUTGOING: Final = "redis_streams"
"""Name of the subscriber that puts events into Redis."""

_OUTGOING_EVENTS: Final = (
    SessionStarted,
    SessionResumed,
    SessionRecovered,
    UtteranceFinalized,
    UtteranceFailed,
    SessionEnded,
)
_UNTIL_TAKEN: Final = RetryPolicy((StorageUnavailable,), attempts=None, max_delay_s=5.0)


class RedisEventBus:
    """Implements ``EventPublisher``, with an in-process bus before the streams.

    Publishing puts an event into a bounded queue of this process, and so never waits. One subscriber of that queue appends
    to the streams; while Redis is away it waits, and what the queue has no room for is counted as dropped. Sessions whose
    client does not want them kept do not leave the process.
    """

    def __init__(
        self,
        local: Sequence[Subscription],
        shared: Sequence[Subscription],
        *,
        streams: RedisStreams,
        events: IntegrationEvents,
        node_id: str,
        buffered: int = 10_000,
        on_dropped: Report = lambda _name: None,
        on_failed: Report = lambda _name: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Takes the whole table of subscribers; nothing runs before ``start``.

        Args:
            local: Told of this process's events, in this process.
            shared: Told of all events of all servers, each event in one of them; they must stand repetitions.
            streams: Where shared events go.
            events: Their form there.
            node_id: Of this process.
            buffered: Events that wait while Redis is away; by default three hours of sixty people who talk.
            on_dropped: Called for each event that a subscriber does not see.
            on_failed: Called for each event that a subscriber's handler gave up on.
            sleep: Waits between tries.
        """
        outgoing = Subscription(
            OUTGOING, self._append, _OUTGOING_EVENTS, capacity=buffered, retry=_UNTIL_TAKEN, stored_only=True
        )
        self._streams = streams
        self._events = events
        self._local = InProcessEventBus([*local, outgoing], on_dropped=on_dropped, on_failed=on_failed, sleep=sleep)
        self._readers = [
            PartitionReader(
                subscription,
                partition,
                streams=streams,
                events=events,
                node_id=node_id,
                on_failed=on_failed,
                sleep=sleep,
            )
            for subscription in shared
            for partition in range(PARTITIONS)
        ]
        self.subscriptions = (*local, outgoing)

    def publish(self, event: SessionEvent) -> None:
        """See ``InProcessEventBus``."""
        self._local.publish(event)

    def queued(self, name: str) -> int:
        """Events of this process that a local subscriber, or ``OUTGOING``, has not handled yet."""
        return self._local.queued(name)

    async def start(self) -> None:
        """Begins to deliver, what is in the streams included."""
        await self._local.start()
        for reader in self._readers:
            reader.start()

    async def close(self, deadline_s: float) -> None:
        """Takes no more events. What was published gets into the streams, and is handled there, within ``deadline_s`` each.

        What is left in the streams then is handled by another server, or by this one at its next start.
        """
        await self._local.close(deadline_s)
        await asyncio.gather(*(reader.finish(deadline_s) for reader in self._readers))

    async def _append(self, event: SessionEvent) -> None:
        await self._streams.append(event.session_id, self._events.to_json(event))

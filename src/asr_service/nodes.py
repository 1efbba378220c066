"""Of the composition root, what servers share: events, who is alive, what is said, cancellations and quotas.

With a Redis (``events.url``) they share all of it; without one, servers on one database share what is stored and who is alive.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from asr_service.app.services.journal_reconciliation import JournalReconciliation
from asr_service.app.services.node_presence import LEASE_S, NodePresence
from asr_service.app.services.node_stamp import NodeStamp
from asr_service.app.services.session_recorder import SessionRecorder
from asr_service.app.services.tenant_quota import PLACE_LEASE_S, TenantQuota
from asr_service.domain.events.recognition_events import UtteranceFinalized
from asr_service.domain.events.session_events import SessionEnded, SessionRecovered, SessionResumed, SessionStarted
from asr_service.domain.ports.event_publisher import EventPublisher
from asr_service.domain.ports.live_feed import LiveFeed
from asr_service.domain.ports.node_link import NodeLink
from asr_service.domain.ports.node_registry import NodeRegistry
from asr_service.domain.ports.session_places import SessionPlaces
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.repositories.session_journal import SessionJournal
from asr_service.infrastructure.config.sections import EventSettings
from asr_service.infrastructure.config.settings import Settings
from asr_service.infrastructure.messaging.dead_letters import DeadLetters
from asr_service.infrastructure.messaging.event_publisher import InProcessEventBus, RetryPolicy, Subscription
from asr_service.infrastructure.messaging.integration_events import IntegrationEvents
from asr_service.infrastructure.messaging.live_feed import FOLLOWED_EVENTS, InProcessLiveFeed, RedisLiveFeed
from asr_service.infrastructure.messaging.node_link import NoNodeLink, RedisNodeLink
from asr_service.infrastructure.monitoring.metrics import Metrics
from asr_service.infrastructure.monitoring.metrics_recorder import MetricsRecorder
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.node_registry import SqlNodeRegistry
from asr_service.infrastructure.persistence.result_repository import SqlResultRepository
from asr_service.infrastructure.persistence.session_repository import SqlSessionRepository
from asr_service.shared.clock import SystemClock
from asr_service.shared.errors import InvalidRequest
from asr_service.shared.identifiers import new_id

_STORED_EVENTS = (SessionStarted, SessionResumed, SessionRecovered, UtteranceFinalized, SessionEnded)
_BUS_DEADLINE_S = 10.0  # at shutdown, for what the subscribers have not handled yet
_UNTIL_STORED = RetryPolicy((StorageUnavailable,), attempts=None)
_AN_HOUR_LONG = RetryPolicy((StorageUnavailable,), attempts=720, max_delay_s=5.0)
"""For events in Redis: they wait there while the database is away, and are given up one by one if it stays away."""

_FEED_CAPACITY = 1_000  # events that wait to be told to followers; if there are more, they miss some
_CONNECTIONS = 16  # to the shared Redis: one for each partition that is read, and as many as write at once


@dataclass(frozen=True, slots=True)
class Node:
    """This server among others.

    Attributes:
        node_id: Of this process; a server that is started again is another node.
        publisher: Where the events of its sessions go.
        presence: Knows which nodes are alive.
        feed: What is said in live sessions.
        link: The way to the other nodes.
        quota: How many live sessions a tenant may have.
    """

    node_id: str
    publisher: EventPublisher
    presence: NodePresence
    feed: LiveFeed
    link: NodeLink
    quota: TenantQuota


@dataclass(frozen=True, slots=True)
class _Sharing:
    """By what means things are shared."""

    registry: NodeRegistry
    feed: InProcessLiveFeed | RedisLiveFeed
    link: NoNodeLink | RedisNodeLink
    places: SessionPlaces | None = None
    store: Any = None  # the Redis, whose driver is an extra


@asynccontextmanager
async def open_node(
    settings: Settings, database: Database, journal: SessionJournal | None, metrics: Metrics
) -> AsyncIterator[Node]:
    """Opens what this server shares with others.

    Raises:
        StorageUnavailable: The Redis in the settings does not answer.
    """
    node_id = new_id("nod")
    async with (
        _sharing(settings.events, database) as sharing,
        _event_bus(settings, sharing, node_id, database, metrics) as bus,
        _present(sharing.registry, node_id) as presence,
    ):
        quota = TenantQuota(settings.server.max_sessions_per_tenant, sharing.places, on_refused=metrics.session_refused)
        node = Node(node_id, NodeStamp(bus, node_id), presence, sharing.feed, sharing.link, quota)
        async with _in_background(quota.keep_renewing(), *_reconciling(database, journal, node)):
            yield node


@asynccontextmanager
async def listening_to_others(node: Node, cancel: Callable[[str], bool]) -> AsyncIterator[None]:
    """Meanwhile this server does what others want: ``cancel`` is told of sessions."""
    if not isinstance(node.link, RedisNodeLink):
        yield
        return
    stop = await node.link.listen(cancel)
    try:
        yield
    finally:
        await stop()


@asynccontextmanager
async def open_dead_letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    """What subscribers have given up.

    Raises:
        InvalidRequest: Events are not shared, so nothing is kept of those that are given up.
        StorageUnavailable: The Redis in the settings does not answer.
    """
    if not settings.events.url.get_secret_value():
        raise InvalidRequest(
            "Without a Redis there are no dead letters: what is given up is in the log.",
            hint="Set events.url (ASR_EVENTS__URL) as the servers have it.",
        )
    from asr_service.infrastructure.messaging.redis_streams import RedisStreams  # noqa: PLC0415 - of an extra

    async with _redis(settings.events, _CONNECTIONS) as store:
        yield DeadLetters(RedisStreams(store, max_events=settings.events.max_events))


@asynccontextmanager
async def _sharing(wanted: EventSettings, database: Database) -> AsyncIterator[_Sharing]:
    if not wanted.url.get_secret_value():
        registry = SqlNodeRegistry(database, LEASE_S, SystemClock())
        yield _Sharing(registry, InProcessLiveFeed(), NoNodeLink())
        return
    from asr_service.infrastructure.persistence.redis_node_registry import (  # noqa: PLC0415 - of an extra
        RedisNodeRegistry,
    )
    from asr_service.infrastructure.persistence.redis_session_places import (  # noqa: PLC0415 - of an extra
        RedisSessionPlaces,
    )
    from asr_service.infrastructure.persistence.redis_subscriptions import (  # noqa: PLC0415 - of an extra
        RedisSubscriptions,
    )

    async with _redis(wanted, _CONNECTIONS) as store, _redis(wanted, 1) as listening:
        channels = RedisSubscriptions(listening)
        channels.start()
        try:
            yield _Sharing(
                RedisNodeRegistry(store, LEASE_S),
                RedisLiveFeed(store, channels, IntegrationEvents(SystemClock())),
                RedisNodeLink(store, channels),
                RedisSessionPlaces(store, PLACE_LEASE_S),
                store,
            )
        finally:
            await channels.close()


@asynccontextmanager
async def _redis(wanted: EventSettings, connections: int) -> AsyncIterator[Any]:
    from asr_service.infrastructure.persistence.redis_store import RedisStore  # noqa: PLC0415 - of an extra

    store = RedisStore(wanted.url.get_secret_value(), pool_size=connections)
    await store.connect()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _event_bus(
    settings: Settings, sharing: _Sharing, node_id: str, database: Database, metrics: Metrics
) -> AsyncIterator[EventPublisher]:
    """The bus and its subscribers: who is told of what, on one screen."""
    recorder = SessionRecorder(SqlSessionRepository(database), SqlResultRepository(database), SystemClock())
    retry = _UNTIL_STORED if sharing.store is None else _AN_HOUR_LONG
    storage = Subscription("storage", recorder.handle, events=_STORED_EVENTS, retry=retry, stored_only=True)
    feed, capacity = sharing.feed.handle, _FEED_CAPACITY
    of_this_server = (
        Subscription("metrics", MetricsRecorder(metrics).handle),
        Subscription("live_feed", feed, events=FOLLOWED_EVENTS, capacity=capacity, stored_only=True),
    )
    if sharing.store is None:
        subscriptions = (storage, *of_this_server)
        bus: Any = InProcessEventBus(subscriptions, on_dropped=metrics.event_dropped, on_failed=metrics.event_failed)
    else:
        bus = _redis_bus(settings, sharing.store, node_id, of_this_server, (storage,), metrics)
        subscriptions = bus.subscriptions
    for subscription in subscriptions:
        metrics.observe_queue(subscription.name, partial(bus.queued, subscription.name), subscription.capacity)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close(_BUS_DEADLINE_S)


def _redis_bus(
    settings: Settings,
    store: Any,
    node_id: str,
    local: Sequence[Subscription],
    shared: Sequence[Subscription],
    metrics: Metrics,
) -> Any:
    from asr_service.infrastructure.messaging.redis_event_bus import RedisEventBus  # noqa: PLC0415 - of an extra
    from asr_service.infrastructure.messaging.redis_streams import RedisStreams  # noqa: PLC0415 - of an extra

    return RedisEventBus(
        local,
        shared,
        streams=RedisStreams(store, max_events=settings.events.max_events),
        events=IntegrationEvents(SystemClock()),
        node_id=node_id,
        on_dropped=metrics.event_dropped,
        on_failed=metrics.event_failed,
    )


@asynccontextmanager
async def _present(registry: NodeRegistry, node_id: str) -> AsyncIterator[NodePresence]:
    presence = NodePresence(registry, node_id, SystemClock())
    await presence.start()
    try:
        yield presence
    finally:
        await presence.close()


def _reconciling(
    database: Database, journal: SessionJournal | None, node: Node
) -> tuple[Coroutine[Any, Any, None], ...]:
    """Stores what dead servers have left in the journal: now, and whenever another one is lost."""
    if journal is None:
        return ()
    reconciliation = JournalReconciliation(
        journal, SqlSessionRepository(database), node.publisher, SystemClock(), lambda: node.presence.alive
    )

    async def reconcile() -> None:
        while True:
            await reconciliation.run()
            await node.presence.loss()

    return (reconcile(),)


@asynccontextmanager
async def _in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does endless works while the block runs."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

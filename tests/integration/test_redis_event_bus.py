"""Events in Redis Streams: each is handled at least once and in its session's order, whatever dies or fails meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from asr_service.app.services.session_recorder import SessionRecorder
from asr_service.domain.events.session_events import SessionEnded, SessionEvent, SessionStarted
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.infrastructure.messaging.dead_letters import DeadLetters, GivenUp
from asr_service.infrastructure.messaging.event_publisher import RetryPolicy, Subscription
from asr_service.infrastructure.messaging.integration_events import EventUnreadable, IntegrationEvents
from asr_service.infrastructure.messaging.redis_event_bus import OUTGOING, RedisEventBus
from asr_service.infrastructure.messaging.redis_streams import PARTITIONS, RedisStreams, partition_of
from asr_service.infrastructure.persistence.redis_store import RedisStore
from asr_service.shared.errors import NotFound
from tests.contract.test_event_publisher_contract import EventPublisherContract, Publication
from tests.fakes.clocks import FakeClock
from tests.fakes.repositories import InMemoryResultRepository, InMemorySessionRepository, InMemoryStore
from tests.fixtures.command_line import Run
from tests.fixtures.journaled_sessions import ADA, CONFIG, ending, final
from tests.fixtures.redis import RedisServer

pytestmark = pytest.mark.usefixtures("tidy")

SECRET_WORDS = "the patient is called Ada"


class Handler:
    """Keeps what it handles; fails as often as it is told to, before that.

    Attributes:
        handled: In order.
        failures: What the next tries end with.
        open: While it is cleared, nothing is handled.
    """

    def __init__(self) -> None:
        self.handled: list[SessionEvent] = []
        self.failures: list[Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self._changed = asyncio.Condition()

    async def handle(self, event: SessionEvent) -> None:
        self.entered.set()
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.handled.append(event)
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, count: int) -> list[SessionEvent]:
        """Waits until so many events are handled."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.handled) >= count)
        return self.handled

    def of(self, session_id: str) -> list[SessionEvent]:
        return [event for event in self.handled if event.session_id == session_id]


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, pool_size=32)
    await store.connect()
    yield store
    await store.close()


@pytest.fixture
def streams(store: RedisStore) -> RedisStreams:
    return RedisStreams(store, max_events=100_000)


@pytest.fixture
def failed() -> list[str]:
    """The subscribers that have given up, once for each event."""
    return []


@pytest.fixture
def new_bus(streams: RedisStreams, failed: list[str]) -> Callable[..., RedisEventBus]:
    """Makes a bus with shared subscribers, as another server would have it."""

    def new_bus(
        *handlers: Handler, node_id: str = "nod_1", retry: RetryPolicy | None = None, **options: object
    ) -> RedisEventBus:
        retry = retry or RetryPolicy((StorageUnavailable,), attempts=5)
        shared = [
            Subscription(f"keeper{number}", handler.handle, retry=retry) for number, handler in enumerate(handlers)
        ]
        return RedisEventBus(
            (),
            shared,
            streams=streams,
            events=IntegrationEvents(FakeClock()),
            node_id=node_id,
            on_failed=failed.append,
            sleep=at_once,
            **options,  # type: ignore[arg-type]
        )

    return new_bus


NewBus = Callable[..., RedisEventBus]


def started(session_id: str = "ses_1", config: SessionConfig = CONFIG) -> SessionStarted:
    return SessionStarted(session_id=session_id, at_s=0.0, caller=ADA, config=config)


def told(session_id: str, utterance: int, text: str = SECRET_WORDS) -> SessionEvent:
    """A final as it is read, at the time at which the clock of these tests stands."""
    return replace(final(utterance, text, session_id=session_id), at_s=0.0, endpoint_at_s=0.0)


def ended(session_id: str = "ses_1") -> SessionEnded:
    return replace(ending(session_id), at_s=0.0)


async def taken(bus: RedisEventBus, store: RedisStore) -> None:
    """Waits until everything that was published is in Redis."""
    while bus.queued(OUTGOING):
        await store.ping()


async def free_leases(store: RedisStore) -> None:
    """Lets the leases run out, as they do some seconds after their node has died."""
    for partition in range(PARTITIONS):
        await store.command("DEL", f"asr:events:{{{partition}}}:keeper0:reader")


async def in_redis(store: RedisStore) -> str:
    """Everything that is in the streams."""
    return repr([await store.command("XRANGE", key, "-", "+") for key in await stream_keys(store)])


async def stream_keys(store: RedisStore) -> list[str]:
    keys = [f"asr:events:{{{partition}}}" for partition in range(PARTITIONS)]
    return [key for key in keys if await store.command("EXISTS", key)]


class TestRedisEventBus(EventPublisherContract):
    @pytest.fixture
    async def publication(self, new_bus: NewBus) -> AsyncIterator[Publication]:
        handler = Handler()
        bus = new_bus(handler)

        async def delivered() -> list[SessionEvent]:
            await bus.start()
            await bus.close(deadline_s=10)
            return handler.handled

        yield Publication(bus, delivered)
        await delivered()


async def test_servers_share_the_work_and_keep_the_order_of_each_session(new_bus: NewBus, store: RedisStore) -> None:
    handler = Handler()  # of both: who handles an event makes no difference to the store either
    buses = [new_bus(handler, node_id=f"nod_{number}") for number in range(2)]
    for bus in buses:
        await bus.start()
    sessions = [f"ses_{number}" for number in range(20)]
    for session_id in sessions:
        events = [started(session_id), *(told(session_id, number) for number in range(5)), ended(session_id)]
        for event in events:
            buses[0].publish(event)
            await taken(buses[0], store)  # a session's events come from one server at a time
        buses.reverse()
    await handler.wait_for(7 * len(sessions))
    await asyncio.gather(*(bus.close(deadline_s=10) for bus in buses))
    for session_id in sessions:
        expected = [started(session_id), *(told(session_id, number) for number in range(5)), ended(session_id)]
        assert handler.of(session_id) == expected


async def test_every_subscriber_gets_every_event(new_bus: NewBus) -> None:
    first, second = Handler(), Handler()
    bus = new_bus(first, second)
    await bus.start()
    bus.publish(started())
    bus.publish(ended())
    assert await first.wait_for(2) == await second.wait_for(2) == [started(), ended()]
    await bus.close(deadline_s=10)


async def test_what_a_dead_server_left_is_handled_by_another(new_bus: NewBus, store: RedisStore) -> None:
    dying, heir = Handler(), Handler()
    dying.open.clear()
    first = new_bus(dying, node_id="nod_1")
    await first.start()
    for event in (started(), told("ses_1", 0), ended()):
        first.publish(event)
    await dying.entered.wait()
    await taken(first, store)
    await first.close(deadline_s=0)  # in the midst of an event: it is not acknowledged, and its lease goes on
    await free_leases(store)
    second = new_bus(heir, node_id="nod_2")
    with capture_logs() as logs:
        await second.start()
        await heir.wait_for(3)
        await second.close(deadline_s=10)
    assert heir.handled == [started(), told("ses_1", 0), ended()]
    assert [line["events"] for line in logs if line["event"] == "events_redelivered"] == [3]
    assert SECRET_WORDS not in repr(logs)


async def test_who_has_lost_the_lease_leaves_the_rest_to_the_other(
    new_bus: NewBus, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr_service.infrastructure.messaging.partition_reader._RENEWED_AFTER_S", -1.0)
    frozen, heir = Handler(), Handler()
    frozen.open.clear()
    first, second = new_bus(frozen, node_id="nod_1"), new_bus(heir, node_id="nod_2")
    await first.start()
    for event in (started(), told("ses_1", 0), ended()):
        first.publish(event)
    await frozen.entered.wait()
    await taken(first, store)
    await free_leases(store)
    await second.start()
    await heir.wait_for(3)
    frozen.open.set()
    await frozen.wait_for(1)
    await asyncio.gather(first.close(deadline_s=10), second.close(deadline_s=10))
    assert heir.handled == [started(), told("ses_1", 0), ended()]
    assert frozen.handled == [started()]


async def test_a_store_that_is_away_is_waited_for_and_nothing_overtakes(new_bus: NewBus, failed: list[str]) -> None:
    handler = Handler()
    handler.failures = [StorageUnavailable("away") for _ in range(4)]
    bus = new_bus(handler)
    for event in (started(), told("ses_1", 0), ended()):
        bus.publish(event)
    await bus.start()
    assert await handler.wait_for(3) == [started(), told("ses_1", 0), ended()]
    await bus.close(deadline_s=10)
    assert failed == []


@pytest.mark.parametrize(
    ("error", "slug", "attempts"),
    [
        (lambda: StorageUnavailable(SECRET_WORDS), "storage_unavailable", 5),
        (lambda: ValueError(SECRET_WORDS), "ValueError", 3),
    ],
    ids=["a store that stays away", "a defect"],
)
async def test_what_cannot_be_handled_becomes_a_dead_letter_and_the_rest_goes_on(
    new_bus: NewBus,
    streams: RedisStreams,
    failed: list[str],
    error: Callable[[], Exception],
    slug: str,
    attempts: int,
) -> None:
    handler = Handler()
    handler.failures = [error() for _ in range(attempts)]
    bus = new_bus(handler)
    with capture_logs() as logs:
        await bus.start()
        bus.publish(told("ses_1", 0))
        bus.publish(ended())
        await handler.wait_for(1)
    letters = DeadLetters(streams)
    (letter,) = await listed(letters)
    assert (letter.subscriber, letter.event_type, letter.session_id) == ("keeper0", "utterance.finalized", "ses_1")
    assert (letter.error, letter.attempts) == (slug, attempts)
    assert (handler.handled, failed) == ([ended()], ["keeper0"])
    assert SECRET_WORDS not in repr(logs) + repr(letter)

    await letters.replay(letter.letter_id)
    assert await handler.wait_for(2) == [ended(), told("ses_1", 0)]
    assert await listed(letters) == []
    await bus.close(deadline_s=10)


async def listed(letters: DeadLetters) -> list[GivenUp]:
    return [letter async for letter in letters.list()]


async def test_a_dead_letter_is_replayed_to_the_one_who_gave_it_up(new_bus: NewBus, streams: RedisStreams) -> None:
    failing, other = Handler(), Handler()
    failing.failures = [ValueError("once"), ValueError("twice"), ValueError("for good")]
    bus = new_bus(failing, other)
    await bus.start()
    bus.publish(started())
    await other.wait_for(1)
    while not (letters := await listed(DeadLetters(streams))):
        pass
    await DeadLetters(streams).replay(letters[0].letter_id)
    await failing.wait_for(1)
    bus.publish(ended())
    await other.wait_for(2)
    await bus.close(deadline_s=10)
    assert failing.handled == other.handled == [started(), ended()]


async def test_what_is_no_event_is_a_dead_letter_that_cannot_be_replayed(
    new_bus: NewBus, streams: RedisStreams
) -> None:
    handler = Handler()
    await streams.append("ses_1", "{")
    bus = new_bus(handler)
    await bus.start()
    bus.publish(started())
    await handler.wait_for(1)
    await bus.close(deadline_s=10)
    (letter,) = await listed(DeadLetters(streams))
    assert (letter.error, letter.event_type, letter.session_id) == ("event_unreadable", None, None)
    with pytest.raises(EventUnreadable):
        await DeadLetters(streams).replay(letter.letter_id)
    assert len(await listed(DeadLetters(streams))) == 1


@pytest.mark.parametrize("letter_id", ["1-1", "no id"])
async def test_an_unknown_dead_letter_is_not_found(streams: RedisStreams, letter_id: str) -> None:
    with pytest.raises(NotFound):
        await DeadLetters(streams).replay(letter_id)


async def test_more_dead_letters_than_a_page_are_listed_once_each(streams: RedisStreams) -> None:
    for number in range(250):
        await streams.bury("{", "keeper0", f"error_{number}", 1)
    assert [letter.error for letter in await listed(DeadLetters(streams))] == [f"error_{n}" for n in range(250)]


async def test_events_wait_while_redis_is_away_and_too_many_are_counted(
    new_bus: NewBus, redis_server: RedisServer
) -> None:
    handler, dropped = Handler(), list[str]()
    bus = new_bus(handler, buffered=10, on_dropped=dropped.append)
    await bus.start()
    bus.publish(started())
    await handler.wait_for(1)
    redis_server.stop()
    try:
        for number in range(15):
            bus.publish(told("ses_1", number))
    finally:
        redis_server.start()
    await handler.wait_for(11)
    await bus.close(deadline_s=10)
    assert handler.handled == [started(), *(told("ses_1", number) for number in range(10))]
    assert dropped == [OUTGOING] * 5


async def test_a_redis_that_has_forgotten_everything_is_used_again(new_bus: NewBus, store: RedisStore) -> None:
    handler = Handler()
    bus = new_bus(handler)
    await bus.start()
    bus.publish(started())
    await handler.wait_for(1)
    await store.command("FLUSHALL")
    bus.publish(ended())
    assert await handler.wait_for(2) == [started(), ended()]
    await bus.close(deadline_s=10)


async def test_what_a_client_does_not_want_kept_does_not_get_into_redis(new_bus: NewBus, store: RedisStore) -> None:
    handler = Handler()
    bus = new_bus(handler)
    await bus.start()
    bus.publish(started("ses_1", SessionConfig(stored=False)))
    bus.publish(told("ses_1", 0))
    bus.publish(ended())
    bus.publish(started("ses_2"))
    await handler.wait_for(1)
    await bus.close(deadline_s=10)
    assert handler.handled == [started("ses_2")]
    assert "ses_1" not in await in_redis(store)


async def test_the_oldest_events_go_when_there_are_too_many(store: RedisStore) -> None:
    streams = RedisStreams(store, max_events=400)
    for number in range(1_000):
        await streams.append("ses_1", f"{number}")
    key = f"asr:events:{{{partition_of('ses_1')}}}"
    assert 100 <= await store.command("XLEN", key) < 300  # Redis trims by whole nodes of 100


async def test_a_silent_partition_is_left_to_a_server_that_comes(new_bus: NewBus) -> None:
    first, second = Handler(), Handler()
    bus = new_bus(first, node_id="nod_1")
    await bus.start()
    bus.publish(started())
    await first.wait_for(1)
    await bus.close(deadline_s=10)
    successor = new_bus(second, node_id="nod_2")
    await successor.start()
    successor.publish(ended())
    assert await second.wait_for(1) == [ended()]
    await successor.close(deadline_s=10)


async def test_readers_that_are_long_gone_are_forgotten(
    new_bus: NewBus, store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def readers() -> set[str]:
        key = f"asr:events:{{{partition_of('ses_1')}}}"
        return {reader["name"] for reader in await store.command("XINFO", "CONSUMERS", key, "keeper0")}

    for number in range(3):
        handler = Handler()
        bus = new_bus(handler, node_id=f"nod_{number}")
        await bus.start()
        bus.publish(started())
        await handler.wait_for(1)
        await bus.close(deadline_s=10)
    assert await readers() == {"nod_0", "nod_1", "nod_2"}
    monkeypatch.setattr("asr_service.infrastructure.messaging.redis_streams.GONE_AFTER_MS", -1)
    heir = Handler()
    bus = new_bus(heir, node_id="nod_3")
    await bus.start()
    bus.publish(ended())
    await heir.wait_for(1)
    await bus.close(deadline_s=10)
    assert await readers() == {"nod_3"}


async def test_a_defect_in_reading_is_told_and_does_not_end_it(
    new_bus: NewBus, streams: RedisStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr_service.infrastructure.messaging.partition_reader._LEASE_PAUSE_S", 0.01)
    join, defects = streams.join, [ValueError(SECRET_WORDS) for _ in range(PARTITIONS)]

    async def broken_join(group: str, partition: int) -> None:
        if defects:
            raise defects.pop()
        await join(group, partition)

    monkeypatch.setattr(streams, "join", broken_join)
    handler = Handler()
    bus = new_bus(handler)
    with capture_logs() as logs:
        await bus.start()
        bus.publish(started())
        await handler.wait_for(1)
        await bus.close(deadline_s=10)
    failures = [line for line in logs if line["event"] == "event_reader_failed"]
    assert [line["error"] for line in failures] == ["ValueError"] * PARTITIONS
    assert "broken_join" in failures[0]["stack"]
    assert SECRET_WORDS not in repr(logs)


async def test_everything_delivered_twice_is_stored_once(new_bus: NewBus, store: RedisStore) -> None:
    kept = InMemoryStore()
    recorder = SessionRecorder(InMemorySessionRepository(kept), InMemoryResultRepository(kept), FakeClock())
    handler = Handler()

    async def record(event: SessionEvent) -> None:
        await recorder.handle(event)
        await handler.handle(event)

    recording = Handler()
    recording.handle = record  # type: ignore[method-assign]
    bus = new_bus(recording)
    await bus.start()
    sessions = [f"ses_{number}" for number in range(8)]
    for session_id in sessions:
        for event in (started(session_id), told(session_id, 0), told(session_id, 1), ended(session_id)):
            bus.publish(event)
    await handler.wait_for(4 * len(sessions))
    once = (dict(kept.sessions), dict(kept.results))
    for key in await stream_keys(store):
        await store.command("XGROUP", "SETID", key, "keeper0", "0")
    await handler.wait_for(8 * len(sessions))
    await bus.close(deadline_s=10)
    assert (kept.sessions, kept.results) == once
    assert (len(kept.sessions), len(kept.results)) == (8, 16)


# --- the command


async def test_dead_letters_are_listed_and_replayed_by_the_command(
    run: Run, streams: RedisStreams, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASR_EVENTS__URL", redis_url)
    text = IntegrationEvents(FakeClock()).to_json(told("ses_1", 0))
    await streams.bury(text, "storage", "ValueError", 3)
    await streams.bury("{", "storage", "event_unreadable", 1)
    first, second = [letter.letter_id for letter in await listed(DeadLetters(streams))]

    shown = (await asyncio.to_thread(run, "events", "dead-letters", "list")).out.splitlines()
    assert [line.split()[0] for line in shown] == [first, second]
    assert shown[0].split()[2:] == ["storage", "utterance.finalized", "ses_1", "ValueError", "3"]
    assert SECRET_WORDS not in "".join(shown)
    refused = await asyncio.to_thread(run, "events", "dead-letters", "replay", second)
    assert (refused.exit_code, "cannot be replayed" in refused.err) == (64, True)
    replayed = await asyncio.to_thread(run, "events", "dead-letters", "replay", "--all")
    assert (replayed.exit_code, replayed.out.split()) == (0, [first, "replayed"])
    assert [letter.letter_id for letter in await listed(DeadLetters(streams))] == [second]


def test_the_command_says_what_it_needs(run: Run) -> None:
    assert "Name the dead letters" in run("events", "dead-letters", "replay").err
    assert "Name the dead letters" in run("events", "dead-letters", "replay", "1-1", "--all").err
    assert "ASR_EVENTS__URL" in run("events", "dead-letters", "list").err

"""Channels and places in a real Redis: heard again after an outage, and counted together."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from asr_service.infrastructure.persistence.redis_session_places import RedisSessionPlaces
from asr_service.infrastructure.persistence.redis_store import RedisStore
from asr_service.infrastructure.persistence.redis_subscriptions import RedisSubscriptions
from tests.contract.test_session_places_contract import LEASE_S, Counting, SessionPlacesContract
from tests.fixtures.conditions import eventually
from tests.fixtures.redis import RedisServer

pytestmark = pytest.mark.usefixtures("tidy")


class TestRedisSessionPlaces(SessionPlacesContract):
    @pytest.fixture
    async def counting(self, redis_url: str) -> AsyncIterator[Counting]:
        stores = RedisStore(redis_url), RedisStore(redis_url)
        first, second = (RedisSessionPlaces(store, LEASE_S) for store in stores)

        async def expire(tenant: str, place_id: str) -> None:
            """Redis has a clock of its own, which cannot be turned."""
            assert await stores[0].command("ZADD", f"asr:places:{tenant}", "XX", "CH", 1, place_id) == 1

        yield Counting(first, second, expire)
        for store in stores:
            await store.close()


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    def take(self, text: str) -> None:
        self.heard.put_nowait(text)

    async def next(self) -> str:
        async with asyncio.timeout(20):
            return await self.heard.get()


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url)
    yield store
    await store.close()


@pytest.fixture
async def channels(redis_url: str) -> AsyncIterator[RedisSubscriptions]:
    store = RedisStore(redis_url, pool_size=1)
    channels = RedisSubscriptions(store)
    channels.start()
    yield channels
    await channels.close()
    await store.close()


async def test_each_listener_hears_its_channel(store: RedisStore, channels: RedisSubscriptions) -> None:
    first, second = Ear(), Ear()
    await channels.subscribe("one", first.take)
    await channels.subscribe("two", second.take)
    assert await store.command("PUBLISH", "one", "甲") == 1
    assert await store.command("PUBLISH", "two", "乙") == 1
    assert (await first.next(), await second.next()) == ("甲", "乙")


async def test_what_is_not_listened_to_any_more_is_not_heard(store: RedisStore, channels: RedisSubscriptions) -> None:
    first, second = Ear(), Ear()
    await channels.subscribe("one", first.take)
    await channels.subscribe("two", second.take)
    await channels.unsubscribe("one")
    while await store.command("PUBLISH", "one", "nobody"):
        pass
    await store.command("PUBLISH", "two", "somebody")
    assert await second.next() == "somebody"
    await channels.subscribe("one", second.take)
    await store.command("PUBLISH", "one", "again")
    assert await second.next() == "again"
    assert "again" not in list(first.heard._queue)  # type: ignore[attr-defined]


async def test_after_an_outage_everything_is_heard_again(
    store: RedisStore, channels: RedisSubscriptions, redis_server: RedisServer
) -> None:
    ear, later = Ear(), Ear()
    await channels.subscribe("one", ear.take)
    with capture_logs() as logs:
        await asyncio.to_thread(redis_server.stop)
        try:
            await asyncio.to_thread(eventually, lambda: logs, "the loss is noticed")
            subscribing = asyncio.create_task(channels.subscribe("two", later.take))
        finally:
            await asyncio.to_thread(redis_server.start)
        await subscribing
        for channel, listener in (("one", ear), ("two", later)):
            while not await store.command("PUBLISH", channel, f"back in {channel}"):
                pass
            assert await listener.next() == f"back in {channel}"
    assert [line["event"] for line in logs] == ["redis_channels_lost", "redis_channels_heard_again"]


async def test_many_begin_to_listen_at_once(channels: RedisSubscriptions, store: RedisStore) -> None:
    ears = [Ear() for _ in range(10)]
    await asyncio.gather(*(channels.subscribe(f"channel {number}", ear.take) for number, ear in enumerate(ears)))
    for number, ear in enumerate(ears):
        assert await store.command("PUBLISH", f"channel {number}", f"{number}") == 1
        assert await ear.next() == f"{number}"


async def test_a_silent_redis_is_asked_whether_it_is_there(
    store: RedisStore, channels: RedisSubscriptions, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asr_service.infrastructure.persistence.redis_subscriptions._SILENCE_S", 0.05)
    ear = Ear()
    with capture_logs() as logs:
        await channels.subscribe("one", ear.take)
        redis_server.freeze()
        try:
            await asyncio.to_thread(eventually, lambda: logs, "the loss is noticed")
        finally:
            redis_server.thaw()
        while not await store.command("PUBLISH", "one", "back"):
            pass
    assert await ear.next() == "back"
    assert logs[0]["event"] == "redis_channels_lost"

"""The feed of live sessions: each follower is told of its session, and bounded."""

import pytest
from structlog.testing import capture_logs

from asr_service.domain.events.session_events import SessionEvent
from asr_service.domain.ports.live_feed import FollowerTooSlow
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.messaging.integration_events import IntegrationEvents
from asr_service.infrastructure.messaging.live_feed import FOLLOWED_EVENTS, InProcessLiveFeed, RedisLiveFeed
from asr_service.infrastructure.messaging.node_link import NoNodeLink, RedisNodeLink
from tests.fakes.clocks import FakeClock
from tests.fakes.redis_channels import LoopedRedis
from tests.fixtures.integration_events import EVENTS
from tests.fixtures.journaled_sessions import final

PARTIAL = EVENTS["utterance.partial"]


async def test_followers_are_told_of_their_session_and_of_no_other() -> None:
    feed = InProcessLiveFeed()
    async with feed.follow("ses_1") as first, feed.follow("ses_1") as second, feed.follow("ses_2") as other:
        await feed.handle(final(0))
        await feed.handle(final(1))
        for follower in (first, second):
            assert [await follower.next(1), await follower.next(1)] == [final(0), final(1)]
        assert await other.next(0) is None
    assert feed.followers_of("ses_1") == 0


async def test_a_slow_follower_misses_partials_and_then_is_put_out() -> None:
    feed = InProcessLiveFeed()
    async with feed.follow("ses_1") as follower:
        for _ in range(200):
            feed.tell(PARTIAL)
        for utterance in range(128):
            feed.tell(final(utterance))
        taken = [await follower.next(0) for _ in range(256)]
        assert taken == [PARTIAL] * 128 + [final(utterance) for utterance in range(128)]
        assert await follower.next(0) is None
        for utterance in range(257):
            feed.tell(final(utterance))
        with pytest.raises(FollowerTooSlow):
            await follower.next(0)


async def test_between_servers_an_event_is_heard_as_it_was_said() -> None:
    redis, clock = LoopedRedis(), FakeClock()
    here, there = (RedisLiveFeed(redis, redis, IntegrationEvents(clock)) for _ in range(2))
    async with there.follow("ses_1") as follower:
        followed = [event for event in EVENTS.values() if isinstance(event, FOLLOWED_EVENTS)]
        for event in followed:
            await here.handle(event)
        heard: list[SessionEvent | None] = [await follower.next(1) for _ in followed]
        assert [type(event) for event in heard] == [type(event) for event in followed]
        assert heard[followed.index(PARTIAL)] == PARTIAL
    assert redis.listeners == {}


async def test_a_channel_is_left_with_its_last_follower() -> None:
    redis = LoopedRedis()
    feed = RedisLiveFeed(redis, redis, IntegrationEvents(FakeClock()))
    async with feed.follow("ses_1") as first:
        async with feed.follow("ses_1"):
            pass
        await feed.handle(PARTIAL)
        assert await first.next(1) == PARTIAL
    assert redis.listeners == {}


async def test_while_redis_is_away_nobody_is_told_and_nobody_waits() -> None:
    redis = LoopedRedis()
    feed = RedisLiveFeed(redis, redis, IntegrationEvents(FakeClock()))
    redis.failure = StorageUnavailable("away")
    with capture_logs() as logs:
        await feed.handle(PARTIAL)
        await feed.handle(PARTIAL)
        redis.failure = None
        await feed.handle(PARTIAL)
    assert [line["event"] for line in logs] == ["live_feed_unavailable"]


async def test_what_is_no_event_is_not_told() -> None:
    redis = LoopedRedis()
    feed = RedisLiveFeed(redis, redis, IntegrationEvents(FakeClock()))
    async with feed.follow("ses_1") as follower:
        with capture_logs() as logs:
            await redis.command("PUBLISH", "asr:live:ses_1", '{"secret words"')
        assert await follower.next(0) is None
    assert [line["event"] for line in logs] == ["live_event_unreadable"]
    assert "secret words" not in repr(logs)


# --- the way to other servers


async def test_a_cancellation_reaches_all_others() -> None:
    redis = LoopedRedis()
    links = [RedisNodeLink(redis, redis) for _ in range(3)]
    heard: list[tuple[int, str]] = []
    stops = [
        await link.listen(lambda session_id, node=node: heard.append((node, session_id)))
        for node, link in enumerate(links)
    ]
    assert await links[0].cancel("ses_1")
    assert sorted(heard) == [(0, "ses_1"), (1, "ses_1"), (2, "ses_1")]
    for stop in stops:
        await stop()
    assert not await links[0].cancel("ses_1")


async def test_who_hears_itself_only_has_reached_nobody() -> None:
    redis = LoopedRedis()
    link = RedisNodeLink(redis, redis)
    await link.listen(lambda _session_id: None)
    assert not await link.cancel("ses_1")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version":2,"cancel":"ses_1"}', '{"version":1,"cancel":7}'])
async def test_what_is_no_message_of_this_version_is_not_obeyed(text: str) -> None:
    redis, heard = LoopedRedis(), list[str]()
    await RedisNodeLink(redis, redis).listen(heard.append)
    with capture_logs() as logs:
        await redis.command("PUBLISH", "asr:nodes:cancel", text)
    assert (heard, [line["event"] for line in logs]) == ([], ["node_message_unreadable"])


async def test_a_server_that_is_alone_reaches_nobody() -> None:
    assert not await NoNodeLink().cancel("ses_1")

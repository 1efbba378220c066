"""Redis as a store: what it says when it cannot be used, and how it is with keys and time."""

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.repositories.session_journal import SessionNotResumable
from asr_service.infrastructure.persistence import redis_store
from asr_service.infrastructure.persistence.redis_session_journal import RedisSessionJournal
from asr_service.infrastructure.persistence.redis_store import RedisStore
from tests.fixtures.journaled_sessions import ADA, checkpoint, final, journaled
from tests.fixtures.redis import RedisServer

TOKEN = "a token"
EXPIRES_S = 600.0
PATIENCE_S = 1.0  # a Redis that writes to the disk each time answers 25 at once within it, on a busy machine too


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_url, timeout_s=PATIENCE_S)
    await store.connect()
    yield store
    await store.close()


@pytest.fixture
def journal(store: RedisStore) -> RedisSessionJournal:
    return RedisSessionJournal(store, EXPIRES_S)


async def keys(store: RedisStore) -> list[str]:
    found: list[str] = await store.command("KEYS", "*")
    return sorted(found)


async def test_every_write_gives_a_session_its_full_time_again(store: RedisStore, journal: RedisSessionJournal) -> None:
    async def age() -> None:
        for key in await keys(store):
            await store.command("PEXPIRE", key, 5_000)

    async def assert_renewed() -> None:
        for key in await keys(store):
            assert await store.command("PTTL", key) > EXPIRES_S * 1_000 - 60_000
        await age()

    await journal.begin(journaled(), TOKEN)
    assert len(await keys(store)) == 2
    await assert_renewed()
    await journal.begin(journaled(), TOKEN)
    await assert_renewed()
    await journal.advance("ses_1", 1, [], None)
    await assert_renewed()
    await journal.claim(TOKEN, ADA)
    await assert_renewed()


async def test_the_key_of_a_token_outlives_its_session(store: RedisStore, journal: RedisSessionJournal) -> None:
    await journal.begin(journaled(), TOKEN)
    token_key, session_key = await keys(store)
    assert session_key == "asr:journal:{ses_1}"
    assert await store.command("PTTL", token_key) > await store.command("PTTL", session_key) + EXPIRES_S * 500


async def test_keys_have_the_prefix_and_no_token(store: RedisStore) -> None:
    first, second = (RedisSessionJournal(store, EXPIRES_S, prefix=prefix) for prefix in ("a", "b"))
    await first.begin(journaled(), TOKEN)
    with pytest.raises(SessionNotResumable):
        await second.claim(TOKEN, ADA)
    found = await keys(store)
    assert [key for key in found if not key.startswith("a:journal:")] == []
    assert TOKEN not in repr(found) + repr(await store.command("HGETALL", found[-1]))


@pytest.mark.parametrize(
    ("field", "value"),
    [("origin", '{"version":2}'), ("origin", "{"), ("checkpoint", '{"version":2}'), ("epoch", "one"), ("7", "?")],
)
async def test_a_session_that_cannot_be_read_is_taken_from_nobody(
    store: RedisStore, journal: RedisSessionJournal, field: str, value: str
) -> None:
    await journal.begin(journaled(), TOKEN)
    before = await store.command("HGETALL", "asr:journal:{ses_1}")
    await store.command("HSET", "asr:journal:{ses_1}", field, value)
    with capture_logs() as logs, pytest.raises(SessionNotResumable):
        await journal.claim(TOKEN, ADA)
    assert [line["event"] for line in logs] == ["journal_entry_unreadable"]
    after = await store.command("HGETALL", "asr:journal:{ses_1}")
    assert after == {**before, field: value}


async def test_a_session_without_its_checkpoint_is_not_resumable(
    store: RedisStore, journal: RedisSessionJournal
) -> None:
    await journal.begin(journaled(), TOKEN)
    await store.command("HDEL", "asr:journal:{ses_1}", "checkpoint")
    with pytest.raises(SessionNotResumable):
        await journal.claim(TOKEN, ADA)


async def test_scripts_that_redis_has_forgotten_are_told_again(store: RedisStore, journal: RedisSessionJournal) -> None:
    await journal.begin(journaled(), TOKEN)
    await store.command("SCRIPT", "FLUSH")
    await journal.advance("ses_1", 1, [final(0)], checkpoint(1))
    assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("CONFIG", "SET", "min-replicas-to-write", "1"), ("CONFIG", "SET", "min-replicas-to-write", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("ACL", "SETUSER", "default", "-evalsha"), ("ACL", "SETUSER", "default", "+evalsha")),
    ],
    ids=["full", "without its replicas", "read-only", "forbidden"],
)
async def test_a_redis_that_takes_no_writes_is_unavailable_until_it_does(
    journal: RedisSessionJournal, redis_server: RedisServer, broken: tuple[str, ...], mended: tuple[str, ...]
) -> None:
    await journal.begin(journaled(), TOKEN)
    redis_server.administer(*broken)
    try:
        with pytest.raises(StorageUnavailable) as failure:
            await journal.advance("ses_1", 1, [final(0)], checkpoint(1))
    finally:
        redis_server.administer(*mended)
    assert failure.value.retry_after_s is not None
    await journal.advance("ses_1", 1, [final(0)], checkpoint(1))
    assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)


async def test_a_frozen_redis_holds_nobody_longer_than_the_timeout(
    journal: RedisSessionJournal, redis_server: RedisServer
) -> None:
    await journal.begin(journaled(), TOKEN)
    redis_server.freeze()
    try:
        async with asyncio.timeout(30):
            answers = await asyncio.gather(
                *(journal.advance("ses_1", 1, [final(0)], None) for _ in range(25)), return_exceptions=True
            )
    finally:
        redis_server.thaw()
    assert {type(answer) for answer in answers} == {StorageUnavailable}
    await asyncio.gather(*(journal.advance("ses_1", 1, [final(0)], None) for _ in range(25)))
    assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)


async def test_cancelled_writes_leave_the_connections_usable(journal: RedisSessionJournal) -> None:
    await journal.begin(journaled(), TOKEN)
    for _ in range(5):
        writes = [asyncio.ensure_future(journal.advance("ses_1", 1, [final(number)], None)) for number in range(25)]
        await journal.advance("ses_1", 1, [final(0)], None)
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
    await journal.advance("ses_1", 1, [final(number) for number in range(25)], None)
    assert (await journal.claim(TOKEN, ADA)).outcomes == tuple(final(number) for number in range(25))


async def test_a_stopped_redis_is_unavailable_and_is_used_again_when_it_is_back(
    store: RedisStore, journal: RedisSessionJournal, redis_server: RedisServer
) -> None:
    await journal.begin(journaled(), TOKEN)
    redis_server.stop()
    try:
        with pytest.raises(StorageUnavailable):
            await store.ping()
        with pytest.raises(StorageUnavailable) as failure:
            await RedisStore(redis_server.url).connect()
    finally:
        redis_server.start()
    assert store.location in failure.value.message
    await store.ping()
    await journal.advance("ses_1", 1, [final(0)], None)
    assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)


async def test_a_restart_that_nobody_waited_through_is_not_noticed(
    journal: RedisSessionJournal, redis_server: RedisServer
) -> None:
    await journal.begin(journaled(), TOKEN)
    await asyncio.gather(*(journal.advance("ses_1", 1, [], None) for _ in range(5)))  # so many connections are open
    redis_server.stop()
    redis_server.start()
    await asyncio.gather(*(journal.advance("ses_1", 1, [final(0)], None) for _ in range(5)))
    assert (await journal.claim(TOKEN, ADA)).outcomes == (final(0),)


@pytest.mark.parametrize("password", ["s3cret", ""])
async def test_a_redis_that_does_not_let_us_in_is_unavailable(redis_url: str, password: str) -> None:
    right = redis_url.partition("://:")[2].partition("@")[0]
    store = RedisStore(redis_url.replace(right, password))
    with pytest.raises(StorageUnavailable) as failure:
        await store.connect()
    await store.close()
    assert "s3cret" not in failure.value.message + repr(store)
    assert "127.0.0.1" in failure.value.message


async def test_a_redis_that_forgets_at_its_restart_is_warned_of(store: RedisStore, tmp_path: Path) -> None:
    with capture_logs() as logs:
        await store.connect()
    assert logs == []
    forgetful = RedisServer(tmp_path, appendonly="no")
    forgetful.start()
    other = RedisStore(forgetful.url)
    try:
        with capture_logs() as logs:
            await other.connect()
    finally:
        await other.close()
        forgetful.stop()
    assert [line["event"] for line in logs] == ["redis_forgets"]


async def test_a_redis_that_does_not_say_how_it_keeps_data_is_used(
    store: RedisStore, redis_server: RedisServer
) -> None:
    redis_server.administer("ACL", "SETUSER", "default", "-info")
    try:
        await store.connect()
    finally:
        redis_server.administer("ACL", "SETUSER", "default", "+info")
    await store.ping()


async def test_a_defect_is_no_unavailable_store(store: RedisStore) -> None:
    with pytest.raises(ResponseError):
        await store.command("NO_SUCH_COMMAND")


@pytest.mark.parametrize("url", ["", "cache:6379", "http://s3cret@cache", "redis://", "redis:///0"])
def test_what_is_no_url_of_redis_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="a URL of Redis is") as failure:
        RedisStore(url)
    assert "s3cret" not in str(failure.value)


def test_a_missing_driver_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)  # as where the extra is not installed
    monkeypatch.delitem(sys.modules, redis_store.__name__)
    with pytest.raises(StorageUnavailable, match="is not installed") as failure:
        importlib.import_module(redis_store.__name__)
    assert failure.value.hint == 'Install "asr-service[redis]".'

"""The journal on real stores: it keeps its promises, sheds what has expired, and survives what kills others."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from asr_service.domain.repositories.session_journal import SessionNotResumable
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.redis_session_journal import RedisSessionJournal
from asr_service.infrastructure.persistence.redis_store import RedisStore
from asr_service.infrastructure.persistence.session_journal import SqlSessionJournal
from asr_service.infrastructure.persistence.tables import journaled_outcomes, journaled_sessions
from tests.contract.test_session_journal_contract import (
    EXPIRES_S,
    TOKEN,
    Keeping,
    SessionJournalContract,
    SqlSessionJournalContract,
    keeping_in,
)
from tests.fakes.clocks import FakeClock
from tests.fixtures.journaled_sessions import ADA, checkpoint, final, journaled


class TestPostgresqlSessionJournal(SqlSessionJournalContract):
    @pytest.fixture
    async def keeping(self, postgres_url: str, clock: FakeClock) -> AsyncIterator[Keeping]:
        async for keeping in keeping_in(postgres_url, clock):
            yield keeping


class TestRedisSessionJournal(SessionJournalContract):
    @pytest.fixture
    async def keeping(self, redis_url: str) -> AsyncIterator[Keeping]:
        stores = RedisStore(redis_url), RedisStore(redis_url)
        first, second = (RedisSessionJournal(store, EXPIRES_S) for store in stores)

        async def expire(session_id: str) -> None:
            """Redis has a clock of its own, which cannot be turned; its key is all that is left of the session then."""
            assert await stores[0].command("PEXPIRE", f"asr:journal:{{{session_id}}}", 0) == 1

        yield Keeping(first, second, expire)
        for store in stores:
            await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/asr.db"
    postgres_url: str = request.getfixturevalue("postgres_url")
    return postgres_url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    await database.migrate()
    await database.connect()
    yield database
    await database.close()


async def counts(database: Database) -> tuple[int, int]:
    """How many sessions and outcomes there are."""
    async with database.reading() as connection:
        sessions = await connection.scalar(select(func.count()).select_from(journaled_sessions))
        outcomes = await connection.scalar(select(func.count()).select_from(journaled_outcomes))
    return sessions or 0, outcomes or 0


async def test_what_has_expired_goes_when_others_begin(database: Database) -> None:
    clock = FakeClock()
    journal = SqlSessionJournal(database, EXPIRES_S, clock)
    for number in range(50):
        session_id = f"ses_old{number}"
        await journal.begin(journaled(session_id), f"old token {number}")
        await journal.advance(session_id, 1, [final(0, session_id=session_id)], None)
    assert await counts(database) == (50, 50)
    clock.advance(EXPIRES_S)
    for number in range(3):
        await journal.begin(journaled(f"ses_new{number}"), f"new token {number}")
    assert await counts(database) == (3, 0)


async def test_a_session_of_a_later_release_is_taken_from_nobody(database: Database) -> None:
    journal = SqlSessionJournal(database, EXPIRES_S, FakeClock())
    await journal.begin(journaled(), TOKEN)
    async with database.writing() as connection:
        await connection.execute(update(journaled_sessions).values(origin='{"version":2}'))
    with pytest.raises(SessionNotResumable):
        await journal.claim(TOKEN, ADA)
    await journal.advance("ses_1", 1, [final(0)], None)  # its holder keeps it


async def test_no_token_is_stored(database: Database) -> None:
    await SqlSessionJournal(database, EXPIRES_S, FakeClock()).begin(journaled(), TOKEN)
    async with database.reading() as connection:
        [row] = (await connection.execute(select(journaled_sessions))).all()
    assert TOKEN not in repr(row)


async def test_of_a_write_that_fails_nothing_is_kept(database: Database) -> None:
    journal = SqlSessionJournal(database, EXPIRES_S, FakeClock())
    await journal.begin(journaled(), TOKEN)
    with pytest.raises(Exception, match=r"(?i)not.null"):
        await journal.advance("ses_1", 1, [replace(final(0), utterance=None)], checkpoint(1))  # type: ignore[arg-type]
    assert (await journal.claim(TOKEN, ADA)).checkpoint == checkpoint(0)

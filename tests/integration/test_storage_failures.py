"""What the SQL adapters do when a real database is locked, full, damaged, frozen or gone: say so, and recover."""

import asyncio
import sqlite3
import stat
import sys
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.domain.value_objects.hypothesis import Hypothesis
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.result_repository import SqlResultRepository
from asr_service.infrastructure.persistence.rows import result_row
from asr_service.infrastructure.persistence.session_repository import SqlSessionRepository
from asr_service.infrastructure.persistence.tables import results
from asr_service.infrastructure.persistence.transcript_reader import SqlTranscriptReader
from tests.contract.test_repositories_contract import final, listening
from tests.fixtures.postgres import PostgresServer

PATIENCE_S = 0.3  # how long the databases of these tests wait before they give up


async def opened(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2, timeout_s=PATIENCE_S)
    await database.migrate()
    await database.connect()
    yield database
    await database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asr.db"


@pytest.fixture
async def file_database(path: Path) -> AsyncIterator[Database]:
    async for database in opened(f"sqlite:///{path}"):
        yield database


@pytest.fixture
async def server_database(postgres_url: str) -> AsyncIterator[Database]:
    async for database in opened(postgres_url):
        yield database


async def finals(database: Database) -> list[int]:
    """The stored utterances of the one session."""
    await SqlSessionRepository(database).save(listening())
    page = await SqlTranscriptReader(database).list_results(LOCAL_CALLER, "ses_1", cursor=None, limit=100)
    return [result.utterance for result in page.items]


async def pragma(database: Database, name: str) -> object:
    async with database.reading() as connection:
        return await connection.scalar(text(f"PRAGMA {name}"))


async def pages(database: Database) -> int:
    count = await pragma(database, "page_count")
    assert isinstance(count, int)
    return count


async def limit_pages(database: Database, count: int) -> None:
    """Makes the file as large as it may be, for both connections of the pool; SQLite reports that as a full disk."""
    async with database.reading() as one, database.reading() as other:
        for connection in (one, other):
            await connection.execute(text(f"PRAGMA max_page_count = {count}"))


@pytest.mark.parametrize(
    ("name", "value"), [("journal_mode", "wal"), ("synchronous", 1), ("foreign_keys", 1), ("busy_timeout", 300)]
)
async def test_every_connection_to_sqlite_has_our_settings(file_database: Database, name: str, value: object) -> None:
    async with file_database.reading():  # so that the next one is another connection
        assert await pragma(file_database, name) == value


async def test_a_missing_directory_is_created_for_this_user_only(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/data/asr.db")
    await database.connect()
    await database.close()
    assert (tmp_path / "new/data/asr.db").is_file()
    assert stat.S_IMODE((tmp_path / "new/data").stat().st_mode) == 0o700


@pytest.mark.parametrize("place", ["file/asr.db", "file/deeper/asr.db", "directory", "text"])
async def test_a_file_that_cannot_be_a_database_is_refused_with_its_name(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "text").write_text("not a database, but long enough to be looked at " * 100)
    database = Database(f"sqlite:///{tmp_path / place}")
    for opening in (database.connect, database.migrate):
        with pytest.raises(StorageUnavailable, match=str(tmp_path / place)):
            await opening()


async def test_a_file_that_can_only_be_read_is_refused_at_once(path: Path) -> None:
    await Database(f"sqlite:///{path}").migrate()
    with pytest.raises(StorageUnavailable, match="readonly"):
        await Database(f"sqlite:///file:{path}?mode=ro&uri=true").connect()


async def test_a_locked_file_fails_in_time_and_works_when_it_is_free(file_database: Database, path: Path) -> None:
    repository = SqlResultRepository(file_database)
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable) as failure:
            await repository.add(final())
        await file_database.ping()  # readers do not wait for a writer
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert failure.value.retry_after_s is not None
    await repository.add(final())
    assert await finals(file_database) == [0]


async def test_a_writer_that_waits_too_long_for_another_gives_up(file_database: Database) -> None:
    async with file_database.writing():
        with pytest.raises(StorageUnavailable):
            await SqlResultRepository(file_database).add(final())
    await SqlResultRepository(file_database).add(final())
    assert await finals(file_database) == [0]


async def test_a_full_disk_fails_and_keeps_what_was_there(file_database: Database) -> None:
    repository = SqlResultRepository(file_database)
    await repository.add(final())
    long = final(utterance=1, hypothesis=Hypothesis("so long " * 100_000))
    await limit_pages(file_database, await pages(file_database))
    with pytest.raises(StorageUnavailable):
        await repository.add(long)
    await limit_pages(file_database, 1_000_000)
    await repository.add(long)
    assert await finals(file_database) == [0, 1]


async def test_an_exception_inside_a_transaction_undoes_it(file_database: Database) -> None:
    with pytest.raises(RuntimeError, match="ours"):
        await write_and_fail(file_database)
    assert await finals(file_database) == []


async def test_an_exception_inside_a_transaction_undoes_it_in_postgresql(server_database: Database) -> None:
    with pytest.raises(RuntimeError, match="ours"):
        await write_and_fail(server_database)
    assert await finals(server_database) == []


async def write_and_fail(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(results.insert(), result_row(final()))
        raise RuntimeError("ours")


async def test_a_full_pool_refuses_after_a_while_and_recovers(file_database: Database) -> None:
    async with file_database.reading(), file_database.reading():
        with pytest.raises(StorageUnavailable):
            await file_database.ping()
    await file_database.ping()


async def test_a_cancelled_write_leaves_the_database_usable(file_database: Database) -> None:
    repository = SqlResultRepository(file_database)
    for _ in range(5):
        writes = [asyncio.ensure_future(repository.add(final(utterance=number))) for number in range(5)]
        await repository.add(final(utterance=9))
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
    await repository.add(final(utterance=10))
    stored = await finals(file_database)
    assert {9, 10} <= set(stored)


async def test_many_writers_at_once_lose_nothing(file_database: Database) -> None:
    repository = SqlResultRepository(file_database)
    await asyncio.gather(*(repository.add(final(utterance=number)) for number in range(50)))
    assert await finals(file_database) == list(range(50))


async def test_a_defect_is_no_unavailable_store(file_database: Database, server_database: Database) -> None:
    for database in (file_database, server_database):
        with pytest.raises(Exception, match="no_such_table") as failure:
            async with database.reading() as connection:
                await connection.execute(text("SELECT * FROM no_such_table"))
        assert not isinstance(failure.value, StorageUnavailable)


async def test_no_transcript_is_in_the_text_of_an_error(file_database: Database, server_database: Database) -> None:
    secret = final(hypothesis=Hypothesis("the code is 4711"), tenant="default")
    for database in (file_database, server_database):
        with pytest.raises(IntegrityError) as failure:
            await SqlResultRepository(database).add(replace(secret, tenant=None))  # type: ignore[arg-type]
        assert "4711" not in "".join(traceback.format_exception(failure.value))


async def test_a_missing_driver_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)  # as where the extra is not installed
    database = Database("postgresql://asr@127.0.0.1/asr")
    for opening in (database.connect, database.migrate):
        with pytest.raises(StorageUnavailable, match="asyncpg is not installed") as failure:
            await opening()
        assert failure.value.hint == 'Install "asr-service[postgres]".'


async def test_a_closed_database_is_unavailable_and_can_be_opened_again(file_database: Database) -> None:
    await file_database.close()
    await file_database.close()
    with pytest.raises(StorageUnavailable):
        await file_database.ping()
    await file_database.connect()
    await file_database.ping()


async def test_results_survive_a_restart(path: Path) -> None:
    async for database in opened(f"sqlite:///{path}"):
        await SqlResultRepository(database).add(final())
    async for database in opened(f"sqlite:///{path}"):
        assert await finals(database) == [0]


async def test_a_stopped_server_is_unavailable_and_is_used_again_when_it_is_back(
    server_database: Database, postgres_server: PostgresServer
) -> None:
    repository = SqlResultRepository(server_database)
    await repository.add(final(utterance=0))
    postgres_server.stop()
    try:
        with pytest.raises(StorageUnavailable):
            await repository.add(final(utterance=1))
        with pytest.raises(StorageUnavailable):
            await server_database.ping()
    finally:
        postgres_server.start()
    await repository.add(final(utterance=1))
    assert await finals(server_database) == [0, 1]


async def test_a_frozen_server_holds_nobody_longer_than_the_timeout(
    server_database: Database, postgres_server: PostgresServer
) -> None:
    repository = SqlResultRepository(server_database)
    await repository.add(final(utterance=0))
    postgres_server.freeze()
    try:
        async with asyncio.timeout(30):
            answers = await asyncio.gather(
                *(repository.add(final(utterance=number)) for number in range(1, 6)), return_exceptions=True
            )
    finally:
        postgres_server.thaw()
    assert {type(answer) for answer in answers} == {StorageUnavailable}
    await asyncio.gather(*(repository.add(final(utterance=number)) for number in range(1, 6)))
    assert await finals(server_database) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("part", "wrong"), [("asr:", "asr:s3cret"), ("/test_", "/no_such_"), ("asr:", "nobody:")])
async def test_a_url_that_the_server_refuses_is_unavailable(postgres_url: str, part: str, wrong: str) -> None:
    with pytest.raises(StorageUnavailable) as failure:
        await Database(postgres_url.replace(part, wrong)).connect()
    assert "s3cret" not in failure.value.message


async def test_a_server_that_only_reads_is_unavailable_to_writers(server_database: Database) -> None:
    async def write_to_a_standby() -> None:
        async with server_database.writing() as connection:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(text("DELETE FROM results"))

    with pytest.raises(StorageUnavailable):
        await write_to_a_standby()
    await SqlResultRepository(server_database).add(final())
    assert await finals(server_database) == [0]


async def test_a_listing_is_read_from_the_index_without_sorting(file_database: Database) -> None:
    async with file_database.reading() as connection:
        rows = await connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT * FROM sessions WHERE tenant = 't' AND (started_at, session_id) < ('n', 's')"
                " ORDER BY started_at DESC, session_id DESC LIMIT 51"
            )
        )
        plan = "\n".join(row.detail for row in rows)
    assert "ix_sessions_tenant_started_at_session_id" in plan
    assert "TEMP B-TREE" not in plan

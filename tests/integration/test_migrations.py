"""The schema by migrations, on real databases: every step works both ways and ends at what the code expects."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.engines import create_migration_engine, parse_database_url
from asr_service.infrastructure.persistence.schema import alembic_config
from asr_service.infrastructure.persistence.tables import metadata

T = TypeVar("T")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/asr.db"
    postgres_url: str = request.getfixturevalue("postgres_url")
    return postgres_url


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_migration_engine(parse_database_url(url), connect_timeout_s=5, lock_timeout_s=5)
    yield engine
    await engine.dispose()


async def in_transaction(engine: AsyncEngine, function: Callable[[Connection], T]) -> T:
    async with engine.begin() as connection:
        return await connection.run_sync(function)


def upgrade(revision: str) -> Callable[[Connection], None]:
    return lambda connection: command.upgrade(alembic_config(connection), revision)


def downgrade(revision: str) -> Callable[[Connection], None]:
    return lambda connection: command.downgrade(alembic_config(connection), revision)


def current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def revisions(connection: Connection) -> list[str]:
    """All revisions, oldest first."""
    script = ScriptDirectory.from_config(alembic_config(connection))
    return [revision.revision for revision in script.walk_revisions()][::-1]


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrated_schema_is_the_one_in_the_code(url: str, engine: AsyncEngine) -> None:
    await Database(url).migrate()
    assert await in_transaction(engine, differences) == []
    assert await in_transaction(engine, tables) == set(metadata.tables)


async def test_an_empty_database_differs_from_the_code(engine: AsyncEngine) -> None:
    assert await in_transaction(engine, differences) != []


async def test_every_revision_can_be_undone_and_done_again(engine: AsyncEngine) -> None:
    steps = await in_transaction(engine, revisions)
    assert steps
    for revision in steps:
        await in_transaction(engine, upgrade(revision))
        assert await in_transaction(engine, current_revision) == revision
        await in_transaction(engine, downgrade("-1"))
        await in_transaction(engine, upgrade(revision))
    await in_transaction(engine, downgrade("base"))
    assert await in_transaction(engine, tables) == set()


async def test_revisions_are_one_line_without_branches(engine: AsyncEngine) -> None:
    def heads(connection: Connection) -> list[str]:
        return list(ScriptDirectory.from_config(alembic_config(connection)).get_heads())

    assert len(await in_transaction(engine, heads)) == 1


async def test_migrating_again_changes_nothing(url: str, engine: AsyncEngine) -> None:
    database = Database(url)
    await database.migrate()
    insert = text(
        "INSERT INTO sessions (session_id, tenant, status, started_at, received_samples, decoded_samples,"
        " finalized_samples) VALUES ('s', 't', 'closed', '2026-03-01', 0, 0, 0)"
    )
    await in_transaction(engine, lambda connection: connection.execute(insert))
    await database.migrate()
    count = text("SELECT count(*) FROM sessions")
    assert await in_transaction(engine, lambda connection: connection.scalar(count)) == 1


async def test_servers_that_start_at_once_migrate_once(url: str, engine: AsyncEngine) -> None:
    async def start_and_stop() -> None:
        database = Database(url, pool_size=1)
        await database.migrate()
        await database.connect()
        await database.ping()
        await database.close()

    await asyncio.gather(*(start_and_stop() for _ in range(8)))
    assert await in_transaction(engine, differences) == []


async def test_a_migration_that_fails_leaves_nothing_behind(engine: AsyncEngine) -> None:
    def upgrade_and_fail(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade("head")(connection)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        await in_transaction(engine, upgrade_and_fail)
    assert await in_transaction(engine, tables) == set()
    assert await in_transaction(engine, current_revision) is None


async def test_the_schema_of_a_later_release_is_left_as_it_is(
    url: str, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(url)
    await database.migrate()
    later = text("UPDATE alembic_version SET version_num = '9999'")
    await in_transaction(engine, lambda connection: connection.execute(later))
    await database.migrate()
    assert await in_transaction(engine, current_revision) == "9999"
    assert "9999 is of a later release" in caplog.text


async def test_a_server_that_is_not_there_is_named_without_its_password(unused_url: str) -> None:
    with pytest.raises(StorageUnavailable) as failure:
        await Database(unused_url).migrate()
    assert "127.0.0.1" in failure.value.message
    assert "s3cret" not in failure.value.message


@pytest.fixture
def unused_url() -> str:
    """The URL of a server that does not run: nobody listens on port 1."""
    return "postgresql://asr:s3cret@127.0.0.1:1/asr"

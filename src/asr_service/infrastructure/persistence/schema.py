"""Brings a database to the schema of this release."""

import logging

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, func, select

from asr_service.infrastructure.persistence.engines import SQLITE, create_migration_engine

LOCK_TIMEOUT_S = 60.0  # how long a starting server waits for another one that is migrating the same SQLite file
_ADVISORY_LOCK = 0x617372_6D696772  # "asrmigr": any number that nobody else locks in the same database

logger = logging.getLogger(__name__)


async def migrate(url: URL, *, connect_timeout_s: float) -> None:
    """Upgrades to the newest revision; at that revision it only looks.

    A revision that this release does not know is of a later one: a server that was rolled back finds it. It is left as
    it is, since releases expand the schema before they contract it.

    Args:
        url: With its asynchronous driver.
        connect_timeout_s: Longest wait for a connection; migrating itself takes as long as it takes.
    """
    engine = create_migration_engine(url, connect_timeout_s=connect_timeout_s, lock_timeout_s=LOCK_TIMEOUT_S)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def alembic_config(connection: Connection) -> Config:
    """The configuration for Alembic's commands on this connection, inside the transaction that it is in."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "asr_service.infrastructure.persistence:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(connection: Connection) -> None:
    config = alembic_config(connection)
    with connection.begin():
        if _needs_nothing(connection, config):
            return
    with connection.begin():
        _lock(connection)
        command.upgrade(config, "head")


def _needs_nothing(connection: Connection, config: Config) -> bool:
    current = MigrationContext.configure(connection).get_current_revision()
    script = ScriptDirectory.from_config(config)
    if current is None:
        return False
    try:
        script.get_revision(current)
    except CommandError:
        logger.warning("The database schema %s is of a later release; it is used as it is.", current)
        return True
    return current == script.get_current_head()


def _lock(connection: Connection) -> None:
    """Waits until nobody else changes the schema; the lock ends with the transaction."""
    if connection.dialect.name == SQLITE:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))

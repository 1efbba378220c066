"""Engines for the two databases, each with the settings that it needs."""

import fcntl
import json
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, NullPool, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from asr_service.domain.ports.storage import StorageUnavailable

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_DRIVERS = {SQLITE: "sqlite+aiosqlite", POSTGRESQL: "postgresql+asyncpg"}

_SQLITE_PRAGMAS = (
    "PRAGMA synchronous=NORMAL",  # with WAL a crash of the process loses nothing, one of the machine the last moments
    "PRAGMA foreign_keys=ON",
)


def parse_database_url(text: str) -> URL:
    """The URL with its asynchronous driver: ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://…``.

    Raises:
        ValueError: It is no URL of either database, or one of SQLite in memory, which each connection would have for
            itself. The message does not repeat the URL, which may hold a password.
    """
    expected = (
        "a database URL is sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host/name"
    )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(expected) from None
    backend = url.get_backend_name()
    if backend not in _DRIVERS or url.drivername not in (backend, _DRIVERS[backend]):
        raise ValueError(expected)
    if backend == SQLITE and url.database in (None, "", ":memory:"):
        raise ValueError(f"SQLite needs a file: {expected}")
    if "sslmode" in url.query:  # libpq's name for what asyncpg calls ssl; the values are the same
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": url.query["sslmode"]})
    return url.set(drivername=_DRIVERS[backend])


def create_pooled_engine(url: URL, *, pool_size: int, timeout_s: float) -> AsyncEngine:
    """An engine for the service: at most ``pool_size`` connections, and no wait for the database over ``timeout_s``."""
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": timeout_s}
    if url.get_backend_name() == POSTGRESQL:
        arguments = {**_postgresql_arguments(timeout_s), "command_timeout": timeout_s}
        # A connection that died while idle, as all do when the server restarts, is replaced before it is used.
        return _create(url, arguments, pool_pre_ping=True, **pool)
    engine = _create(url, _sqlite_arguments(timeout_s), **pool)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def create_migration_engine(url: URL, *, connect_timeout_s: float, lock_timeout_s: float) -> AsyncEngine:
    """An engine for one connection that changes the schema, which may take as long as it takes.

    SQLite's foreign keys are off in it (its default), because rebuilding a table drops it, and that would delete what
    refers to its rows.
    """
    if url.get_backend_name() == POSTGRESQL:
        return _create(url, _postgresql_arguments(connect_timeout_s), poolclass=NullPool)
    return _create(url, _sqlite_arguments(lock_timeout_s), poolclass=NullPool)


def prepare_sqlite_file(url: URL, *, lock_timeout_s: float) -> None:
    """Creates a missing file in WAL mode, which stays with it: readers and the one writer do not wait for each other.

    A missing parent directory is created for this user only, since transcripts are private. SQLite does not wait for a
    lock when it changes the mode, so servers that start at once take turns by a lock on the directory.

    Raises:
        OSError, sqlite3.Error: It cannot be done.
    """
    if "uri" in url.query:  # the name is a URI, which says by itself how to open the file
        return
    assert url.database is not None
    directory = Path(url.database).parent
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    turn = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with closing(sqlite3.connect(url.database, timeout=lock_timeout_s)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    finally:
        os.close(turn)


def _create(url: URL, connect_args: dict[str, Any], **options: Any) -> AsyncEngine:
    try:
        return create_async_engine(
            url,
            connect_args=connect_args,
            hide_parameters=True,  # they are transcripts, and errors are logged
            json_serializer=partial(json.dumps, ensure_ascii=False, allow_nan=False, separators=(",", ":")),
            **options,
        )
    except ModuleNotFoundError as error:
        raise StorageUnavailable(
            f"The database driver {error.name} is not installed.", hint='Install "asr-service[postgres]".'
        ) from error


def _postgresql_arguments(connect_timeout_s: float) -> dict[str, Any]:
    return {"timeout": connect_timeout_s, "server_settings": {"application_name": "asr-service"}}


def _sqlite_arguments(lock_timeout_s: float) -> dict[str, Any]:
    # No isolation level: the driver begins no transaction by itself, so that we say when, and that DDL is part of one.
    return {"timeout": lock_timeout_s, "isolation_level": None}


def _set_pragmas(dbapi_connection: Any, _record: object) -> None:
    cursor = dbapi_connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()

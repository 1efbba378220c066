"""The one database of the service, opened and closed by the composition root."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.infrastructure.persistence import schema
from asr_service.infrastructure.persistence.engines import (
    SQLITE,
    create_pooled_engine,
    parse_database_url,
    prepare_sqlite_file,
)
from asr_service.infrastructure.persistence.failures import storage_failures


class Database:
    """A SQLite file or a PostgreSQL database, by its URL.

    At most ``pool_size`` operations run at once. Further ones wait, SQLite's writers for each other too, and after
    ``timeout_s`` they fail as every operation does that the database does not answer in that time: with
    ``StorageUnavailable``. Nothing is retried here.
    """

    def __init__(self, url: str, *, pool_size: int = 5, timeout_s: float = 5.0) -> None:
        """Reads the URL; touches nothing.

        Args:
            url: ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://user:password@host:port/name``.
            pool_size: Connections kept open; with SQLite each is a thread.
            timeout_s: Longest wait for a connection, for a lock and for an answer, each.

        Raises:
            ValueError: The URL is none of these.
        """
        self._url = parse_database_url(url)
        self._pool_size = pool_size
        self._timeout_s = timeout_s
        self._engine: AsyncEngine | None = None
        self._sqlite_writer = asyncio.Lock()

    def __repr__(self) -> str:
        return f"Database({self.location})"

    @property
    def location(self) -> str:
        """The URL for people: without the password, and without the query, where one can be too."""
        return self._url.set(drivername=self._url.get_backend_name(), query={}).render_as_string(hide_password=True)

    async def connect(self) -> None:
        """Opens the pool and tries a transaction, so that a server does not start in vain; creates a missing SQLite file.

        Raises:
            StorageUnavailable: It is not possible.
        """
        with storage_failures(self.location):
            await self._prepare_file()
            engine = create_pooled_engine(self._url, pool_size=self._pool_size, timeout_s=self._timeout_s)
            try:
                async with self._transaction(engine) as connection:
                    if (
                        self._is_sqlite
                    ):  # which begins a transaction in a read-only file too, and refuses the first write
                        await connection.exec_driver_sql("PRAGMA user_version = 0")
            except BaseException:
                await engine.dispose()
                raise
        self._engine = engine

    async def migrate(self) -> None:
        """Brings the schema up to date; of several servers that start at once, one does it and the others wait.

        Raises:
            StorageUnavailable: The database does not answer, or does not allow it.
        """
        with storage_failures(self.location):
            await self._prepare_file()
            await schema.migrate(self._url, connect_timeout_s=self._timeout_s)

    async def ping(self) -> None:
        """Returns if the database answers a query.

        Raises:
            StorageUnavailable: It does not.
        """
        async with self.reading() as connection:
            await connection.execute(select(1))

    async def close(self) -> None:
        """Closes all connections; idempotent. Whatever is asked for later is ``StorageUnavailable``."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for queries, each of which sees what is committed when it begins.

        Raises:
            StorageUnavailable: There is none, or the database fails inside the block.
        """
        with storage_failures():
            engine = self._open_engine()
            if not self._is_sqlite:  # whose connections are in this mode anyway
                engine = engine.execution_options(isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction, committed at the end of the block, rolled back by an exception.

        Raises:
            StorageUnavailable: There is none, the database fails inside the block, or the commit fails.
        """
        with storage_failures():
            async with self._transaction(self._open_engine()) as connection:
                yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An ``INSERT`` that knows ``ON CONFLICT``; both dialects spell it alike."""
        return sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == SQLITE

    def _open_engine(self) -> AsyncEngine:
        if self._engine is None:
            raise StorageUnavailable("The database is not open.")
        return self._engine

    async def _prepare_file(self) -> None:
        if self._is_sqlite:
            await asyncio.to_thread(prepare_sqlite_file, self._url, lock_timeout_s=self._timeout_s)

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            if self._is_sqlite:
                # SQLite lets a blocked writer sleep and try again; in a queue of 50 nobody waits over 40 ms, without 770.
                async with asyncio.timeout(self._timeout_s):
                    await stack.enter_async_context(self._sqlite_writer)
            connection = await stack.enter_async_context(engine.begin())
            if self._is_sqlite:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

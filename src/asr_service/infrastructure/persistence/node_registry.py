"""The servers that are alive, in SQL."""

from datetime import timedelta

from sqlalchemy import delete, select

from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.tables import nodes
from asr_service.shared.clock import Clock


class SqlNodeRegistry:
    """Implements ``NodeRegistry``; raises ``StorageUnavailable`` when the database does."""

    def __init__(self, database: Database, lease_s: float, clock: Clock) -> None:
        """Takes an open database.

        Args:
            database: With the schema of this release.
            lease_s: Seconds that a heartbeat holds for.
            clock: Its wall clock must agree with those of the other servers to a small part of ``lease_s``.
        """
        self._database = database
        self._lease = timedelta(seconds=lease_s)
        self._clock = clock
        insert = database.insert(nodes)
        self._beat = insert.on_conflict_do_update(
            index_elements=[nodes.c.node_id], set_={"seen_at": insert.excluded.seen_at}
        )

    async def beat(self, node_id: str) -> None:
        now = self._clock.now()
        async with self._database.writing() as connection:
            await connection.execute(self._beat, {"node_id": node_id, "seen_at": now})
            await connection.execute(delete(nodes).where(nodes.c.seen_at <= now - self._lease))

    async def leave(self, node_id: str) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(nodes).where(nodes.c.node_id == node_id))

    async def alive(self) -> frozenset[str]:
        query = select(nodes.c.node_id).where(nodes.c.seen_at > self._clock.now() - self._lease)
        async with self._database.reading() as connection:
            return frozenset((await connection.scalars(query)).all())

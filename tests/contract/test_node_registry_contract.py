"""What every registry of nodes promises: the fake and SQLite here, PostgreSQL and Redis among the integration tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from asr_service.domain.ports.node_registry import NodeRegistry
from asr_service.infrastructure.persistence.database import Database
from asr_service.infrastructure.persistence.node_registry import SqlNodeRegistry
from tests.fakes.clocks import FakeClock
from tests.fakes.node_registry import InMemoryNodeRegistry

LEASE_S = 6.0


@dataclass(frozen=True)
class Registering:
    """A registry at work.

    Attributes:
        registry: Nobody is in it so far.
        reopened: Another one on the same store, as another server has it.
        expire: Lets the lease of a node run out.
    """

    registry: NodeRegistry
    reopened: NodeRegistry
    expire: Callable[[str], Awaitable[None]]


def registering_in_memory() -> Registering:
    clock = FakeClock()
    registry = InMemoryNodeRegistry(clock, LEASE_S)

    async def expire(_node_id: str) -> None:
        clock.advance(LEASE_S)

    return Registering(registry, registry, expire)


async def registering_in(url: str) -> AsyncIterator[Registering]:
    """The SQL adapter on a database that is empty so far; closed at the end."""
    databases, clock = (Database(url), Database(url)), FakeClock()
    for database in databases:
        await database.migrate()
        await database.connect()

    async def expire(_node_id: str) -> None:
        clock.advance(LEASE_S)

    first, second = (SqlNodeRegistry(database, LEASE_S, clock) for database in databases)
    yield Registering(first, second, expire)
    for database in databases:
        await database.close()


class NodeRegistryContract:
    """The suite; a subclass provides ``registering``."""

    async def test_nobody_is_alive_at_first(self, registering: Registering) -> None:
        assert await registering.registry.alive() == frozenset()

    async def test_a_node_that_beats_is_seen_by_the_others(self, registering: Registering) -> None:
        await registering.registry.beat("nod_1")
        await registering.reopened.beat("nod_2")
        await registering.registry.beat("nod_1")
        assert await registering.registry.alive() == {"nod_1", "nod_2"}
        assert await registering.reopened.alive() == {"nod_1", "nod_2"}

    async def test_a_node_that_does_not_beat_any_more_is_gone(self, registering: Registering) -> None:
        await registering.registry.beat("nod_1")
        await registering.expire("nod_1")
        assert await registering.registry.alive() == frozenset()
        await registering.reopened.beat("nod_2")
        assert await registering.registry.alive() == {"nod_2"}

    async def test_a_node_that_was_gone_may_come_back(self, registering: Registering) -> None:
        await registering.registry.beat("nod_1")
        await registering.expire("nod_1")
        await registering.reopened.beat("nod_2")
        await registering.registry.beat("nod_1")
        assert await registering.registry.alive() == {"nod_1", "nod_2"}

    async def test_a_node_that_leaves_is_gone_at_once(self, registering: Registering) -> None:
        await registering.registry.beat("nod_1")
        await registering.registry.beat("nod_2")
        await registering.registry.leave("nod_1")
        await registering.registry.leave("nod_1")
        assert await registering.reopened.alive() == {"nod_2"}


class TestInMemoryNodeRegistry(NodeRegistryContract):
    @pytest.fixture
    def registering(self) -> Registering:
        return registering_in_memory()


class TestSqliteNodeRegistry(NodeRegistryContract):
    @pytest.fixture
    async def registering(self, tmp_path: Path) -> AsyncIterator[Registering]:
        async for registering in registering_in(f"sqlite:///{tmp_path}/asr.db"):
            yield registering

"""Registries of nodes on real stores."""

from collections.abc import AsyncIterator

import pytest

from asr_service.infrastructure.persistence.redis_node_registry import RedisNodeRegistry
from asr_service.infrastructure.persistence.redis_store import RedisStore
from tests.contract.test_node_registry_contract import LEASE_S, NodeRegistryContract, Registering, registering_in


class TestPostgresqlNodeRegistry(NodeRegistryContract):
    @pytest.fixture
    async def registering(self, postgres_url: str) -> AsyncIterator[Registering]:
        async for registering in registering_in(postgres_url):
            yield registering


class TestRedisNodeRegistry(NodeRegistryContract):
    @pytest.fixture
    async def registering(self, redis_url: str) -> AsyncIterator[Registering]:
        stores = RedisStore(redis_url), RedisStore(redis_url)
        first, second = (RedisNodeRegistry(store, LEASE_S) for store in stores)

        async def expire(node_id: str) -> None:
            """Redis has a clock of its own, which cannot be turned."""
            assert await stores[0].command("ZADD", "asr:nodes", "XX", "CH", 1, node_id) == 1

        yield Registering(first, second, expire)
        for store in stores:
            await store.close()

"""The servers that are alive, in Redis; importing this needs the extra ``redis``.

One sorted set: node by node the moment at which its lease runs out, by the clock of Redis.
"""

from typing import Final

from asr_service.infrastructure.persistence.redis_store import RedisStore

_BEAT: Final = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[1])
"""

_ALIVE: Final = """
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. (time[1] * 1000 + math.floor(time[2] / 1000)), '+inf')
"""


class RedisNodeRegistry:
    """Implements ``NodeRegistry``; raises ``StorageUnavailable`` when Redis does."""

    def __init__(self, store: RedisStore, lease_s: float, *, prefix: str = "asr") -> None:
        """Takes an open store.

        Args:
            store: May be shared with others, of other prefixes.
            lease_s: Seconds that a heartbeat holds for.
            prefix: Of the key.
        """
        self._store = store
        self._lease_ms = round(lease_s * 1_000)
        self._key = f"{prefix}:nodes"
        self._beat, self._alive = store.script(_BEAT), store.script(_ALIVE)

    async def beat(self, node_id: str) -> None:
        await self._store.run(self._beat, self._key, node_id, self._lease_ms)

    async def leave(self, node_id: str) -> None:
        await self._store.command("ZREM", self._key, node_id)

    async def alive(self) -> frozenset[str]:
        return frozenset(await self._store.run(self._alive, self._key))

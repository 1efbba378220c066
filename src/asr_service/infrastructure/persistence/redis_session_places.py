"""Places for live sessions in Redis; importing this needs the extra ``redis``.

A sorted set for each tenant: place by place the moment at which its lease runs out, by the clock of Redis.
"""

from collections.abc import Collection, Mapping
from typing import Final

from asr_service.infrastructure.persistence.redis_store import RedisStore

_NOW: Final = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_TAKE: Final = _NOW + """
local place_id, limit, lease_ms = unpack(ARGV)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
if redis.call('ZSCORE', KEYS[1], place_id) == false and redis.call('ZCARD', KEYS[1]) >= tonumber(limit) then
  return 0
end
redis.call('ZADD', KEYS[1], now_ms + lease_ms, place_id)
redis.call('PEXPIRE', KEYS[1], lease_ms)
return 1
"""

_RENEW: Final = _NOW + """
for place = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now_ms + ARGV[1], ARGV[place])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""


class RedisSessionPlaces:
    """Implements ``SessionPlaces``; raises ``StorageUnavailable`` when Redis does."""

    def __init__(self, store: RedisStore, lease_s: float, *, prefix: str = "asr") -> None:
        """Takes an open store.

        Args:
            store: May be shared with others, of other prefixes.
            lease_s: Seconds that a place is held for.
            prefix: Of all keys, without braces.
        """
        self._store = store
        self._lease_ms = round(lease_s * 1_000)
        self._prefix = f"{prefix}:places"
        self._take, self._renew = store.script(_TAKE), store.script(_RENEW)

    async def take(self, tenant: str, place_id: str, limit: int) -> bool:
        return bool(await self._store.run(self._take, self._key(tenant), place_id, limit, self._lease_ms))

    async def renew(self, places: Mapping[str, Collection[str]]) -> None:
        for tenant, place_ids in places.items():
            await self._store.run(self._renew, self._key(tenant), self._lease_ms, *place_ids)

    async def give_back(self, tenant: str, place_id: str) -> None:
        await self._store.command("ZREM", self._key(tenant), place_id)

    def _key(self, tenant: str) -> str:
        return f"{self._prefix}:{tenant}"

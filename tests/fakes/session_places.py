"""Places for live sessions, in memory."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.shared.clock import Clock


@dataclass
class InMemorySessionPlaces:
    """Implements ``SessionPlaces``; while ``available`` is false every call raises ``StorageUnavailable``."""

    clock: Clock
    lease_s: float
    taken: dict[str, dict[str, float]] = field(default_factory=dict)
    available: bool = True

    async def take(self, tenant: str, place_id: str, limit: int) -> bool:
        self._check()
        now_s = self.clock.monotonic_s()
        held = {place: until_s for place, until_s in self.taken.get(tenant, {}).items() if until_s > now_s}
        self.taken[tenant] = held
        if place_id not in held and len(held) >= limit:
            return False
        held[place_id] = now_s + self.lease_s
        return True

    async def renew(self, places: Mapping[str, Collection[str]]) -> None:
        self._check()
        for tenant, place_ids in places.items():
            until_s = self.clock.monotonic_s() + self.lease_s
            self.taken.setdefault(tenant, {}).update(dict.fromkeys(place_ids, until_s))

    async def give_back(self, tenant: str, place_id: str) -> None:
        self._check()
        self.taken.get(tenant, {}).pop(place_id, None)

    def _check(self) -> None:
        if not self.available:
            raise StorageUnavailable("The places are switched off.")

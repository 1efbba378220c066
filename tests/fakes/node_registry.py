"""Servers that are alive, in memory."""

from dataclasses import dataclass, field

from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.shared.clock import Clock


@dataclass
class InMemoryNodeRegistry:
    """Implements ``NodeRegistry``; while ``available`` is false every call raises ``StorageUnavailable``."""

    clock: Clock
    lease_s: float
    seen_at_s: dict[str, float] = field(default_factory=dict)
    available: bool = True

    async def beat(self, node_id: str) -> None:
        self._check()
        self.seen_at_s[node_id] = self.clock.monotonic_s()

    async def leave(self, node_id: str) -> None:
        self._check()
        self.seen_at_s.pop(node_id, None)

    async def alive(self) -> frozenset[str]:
        self._check()
        oldest_s = self.clock.monotonic_s() - self.lease_s
        return frozenset(node_id for node_id, seen_at_s in self.seen_at_s.items() if seen_at_s > oldest_s)

    def _check(self) -> None:
        if not self.available:
            raise StorageUnavailable("The registry is switched off.")

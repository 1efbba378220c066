"""Tells other servers that this one is alive, and knows which of them are."""

import asyncio
from contextlib import suppress

import structlog

from asr_service.domain.ports.node_registry import NodeRegistry
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.shared.clock import Clock

log = structlog.get_logger(__name__)

LEASE_S = 6.0
"""So long after its last heartbeat a node counts as alive; three heartbeats, so that one that is late declares nobody dead."""

BEAT_S = 2.0


class NodePresence:
    """Beats, and looks around, every ``BEAT_S``.

    While the registry cannot be reached nobody is declared dead, and when it is back everybody has the time of a lease to
    be heard again.

    Attributes:
        node_id: Of this server.
        alive: The nodes that were alive when they were last looked at, this one among them.
    """

    def __init__(self, registry: NodeRegistry, node_id: str, clock: Clock) -> None:
        self.node_id = node_id
        self.alive = frozenset({node_id})
        self._registry = registry
        self._clock = clock
        self._reachable = True
        self._doubtful_until_s = 0.0
        self._loss = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Beats for the first time, and goes on with it."""
        await self.beat()
        self._beating = asyncio.create_task(self._run(), name="node presence")

    async def close(self) -> None:
        """Says good-bye, if that is possible."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        with suppress(StorageUnavailable):  # then the lease runs out
            await self._registry.leave(self.node_id)

    async def loss(self) -> None:
        """Waits until a node is found to be gone that was there before; losses that nobody waited for count as one."""
        await self._loss.wait()
        self._loss.clear()

    async def beat(self) -> None:
        """Beats once, and looks who is there."""
        try:
            await self._registry.beat(self.node_id)
        except StorageUnavailable as error:
            self._note_outage(error)
        else:
            await self.look()

    async def look(self) -> frozenset[str]:
        """The nodes that are alive now, those that have just come among them; if that cannot be found out, as before."""
        try:
            self._note(await self._registry.alive() | {self.node_id})
        except StorageUnavailable as error:
            self._note_outage(error)
        return self.alive

    def _note(self, alive: frozenset[str]) -> None:
        now_s = self._clock.monotonic_s()
        if not self._reachable:
            log.warning("nodes_known_again")
            self._reachable = True
            self._doubtful_until_s = now_s + LEASE_S
        if now_s < self._doubtful_until_s:
            alive |= self.alive
        if lost := self.alive - alive:
            log.warning("nodes_lost", nodes=sorted(lost))
            self._loss.set()
        self.alive = alive

    def _note_outage(self, error: StorageUnavailable) -> None:
        if self._reachable:
            log.warning("nodes_unknown", reason=error.message)
        self._reachable = False

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self.beat()

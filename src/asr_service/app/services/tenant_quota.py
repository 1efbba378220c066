"""How many live sessions a tenant may have at once, over all servers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from asr_service.app.services.admission import RETRY_AFTER_S, ServiceOverloaded
from asr_service.domain.ports.session_places import SessionPlaces
from asr_service.domain.ports.storage import StorageUnavailable
from asr_service.domain.value_objects.caller import Caller
from asr_service.shared.identifiers import new_id

log = structlog.get_logger(__name__)

PLACE_LEASE_S = 15.0
RENEWAL_S = 5.0  # three chances in a lease


class TenantLimitReached(ServiceOverloaded):
    """The tenant has as many live sessions as it may have."""

    code = "too_many_sessions"


class TenantQuota:
    """Limits the live sessions of each tenant.

    This server counts its own, and asks the places that are shared, if there are any. While those cannot be reached it goes by
    its own count: a tenant may then have up to ``limit`` sessions on each server, and nobody is refused for an outage.

    Args:
        limit: Live sessions of a tenant; 0: as many as it likes.
        shared: Counts those of all servers; ``None``: this one is alone.
        on_refused: Told why somebody was refused: ``tenant``.
    """

    def __init__(
        self,
        limit: int,
        shared: SessionPlaces | None = None,
        *,
        on_refused: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._limit = limit
        self._shared = shared
        self._on_refused = on_refused
        self._places: dict[str, set[str]] = {}  # by tenant; as many as there are live sessions
        self._reachable = True

    @asynccontextmanager
    async def place(self, caller: Caller) -> AsyncIterator[None]:
        """Holds a place of the caller's tenant while the block runs.

        Raises:
            TenantLimitReached: All of them are taken.
        """
        if not self._limit:
            yield
            return
        tenant, place_id = caller.tenant, new_id("plc")
        places = self._places.setdefault(tenant, set())
        try:
            if len(places) >= self._limit:
                raise self._refusal(tenant)
            places.add(place_id)
            if not await self._take(tenant, place_id):
                raise self._refusal(tenant)
            yield
        finally:
            places.discard(place_id)
            if not places:
                self._places.pop(tenant, None)
            await self._give_back(tenant, place_id)

    async def keep_renewing(self) -> None:
        """Renews the places that are held, until it is cancelled."""
        while True:
            await asyncio.sleep(RENEWAL_S)
            await self.renew()

    async def renew(self) -> None:
        """Renews them once."""
        if self._shared is not None and self._places:
            try:
                await self._shared.renew({tenant: tuple(places) for tenant, places in self._places.items()})
            except StorageUnavailable as error:
                self._note(error)
            else:
                self._note(None)

    async def _take(self, tenant: str, place_id: str) -> bool:
        if self._shared is None:
            return True
        try:
            return await self._shared.take(tenant, place_id, self._limit)
        except StorageUnavailable as error:
            self._note(error)
            return True

    async def _give_back(self, tenant: str, place_id: str) -> None:
        if self._shared is not None:
            try:
                await self._shared.give_back(tenant, place_id)
            except StorageUnavailable as error:  # then its lease runs out
                self._note(error)

    def _note(self, error: StorageUnavailable | None) -> None:
        reachable = error is None
        if reachable != self._reachable:
            log.warning("quotas_shared_again" if reachable else "quotas_not_shared", reason=error and error.message)
        self._reachable = reachable

    def _refusal(self, tenant: str) -> TenantLimitReached:
        log.warning("session_refused", reason="tenant", tenant=tenant, limit=self._limit)
        self._on_refused("tenant")
        return TenantLimitReached(
            f"All {self._limit} places of this tenant are taken.",
            hint="End a session, or try again later.",
            retry_after_s=RETRY_AFTER_S,
        )

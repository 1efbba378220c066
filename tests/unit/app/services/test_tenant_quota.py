"""How many live sessions a tenant may have: counted over all servers, and over this one while the others are out of reach."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from asr_service.app.services.admission import ServiceOverloaded
from asr_service.app.services.tenant_quota import PLACE_LEASE_S, RENEWAL_S, TenantLimitReached, TenantQuota
from asr_service.domain.value_objects.caller import Caller
from tests.fakes.clocks import FakeClock
from tests.fakes.session_places import InMemorySessionPlaces

ADA, BOB = Caller("ada"), Caller("bob")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def places(clock: FakeClock) -> InMemorySessionPlaces:
    return InMemorySessionPlaces(clock, PLACE_LEASE_S)


async def test_without_a_limit_everybody_gets_in(places: InMemorySessionPlaces) -> None:
    quota = TenantQuota(0, places)
    async with AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(quota.place(ADA))
    assert places.taken == {}


@pytest.mark.parametrize("shared", [True, False])
async def test_a_tenant_gets_so_many_places_and_others_theirs(places: InMemorySessionPlaces, shared: bool) -> None:
    refused: list[str] = []
    quota = TenantQuota(2, places if shared else None, on_refused=refused.append)
    async with quota.place(ADA):
        async with quota.place(ADA), quota.place(BOB):
            with pytest.raises(TenantLimitReached) as refusal:
                await quota.place(ADA).__aenter__()
        async with quota.place(ADA):
            pass
    assert isinstance(refusal.value, ServiceOverloaded)
    assert refusal.value.retry_after_s is not None
    assert refused == ["tenant"]


async def test_servers_count_together(places: InMemorySessionPlaces) -> None:
    first, second = TenantQuota(1, places), TenantQuota(1, places)
    async with first.place(ADA):
        with pytest.raises(TenantLimitReached):
            await second.place(ADA).__aenter__()
    async with second.place(ADA):
        pass


async def test_a_session_that_fails_gives_its_place_back(places: InMemorySessionPlaces) -> None:
    quota = TenantQuota(1, places)
    with pytest.raises(ValueError, match="no"):
        async with quota.place(ADA):
            raise ValueError("no")
    async with quota.place(ADA):
        pass


async def test_places_are_held_for_as_long_as_they_are_renewed(places: InMemorySessionPlaces, clock: FakeClock) -> None:
    first, second = TenantQuota(1, places), TenantQuota(1, places)
    async with first.place(ADA):
        for _ in range(5):
            clock.advance(RENEWAL_S)
            await first.renew()
        with pytest.raises(TenantLimitReached):
            await second.place(ADA).__aenter__()
        clock.advance(PLACE_LEASE_S)  # as when its server is dead
        async with second.place(ADA):
            pass


async def test_while_the_places_are_away_a_server_goes_by_its_own_count(places: InMemorySessionPlaces) -> None:
    first, second = TenantQuota(1, places), TenantQuota(1, places)
    places.available = False
    with capture_logs() as logs:
        async with first.place(ADA), second.place(ADA):
            with pytest.raises(TenantLimitReached):
                await first.place(ADA).__aenter__()
            await first.renew()
            places.available = True
            await first.renew()
            await second.renew()
    events = [line["event"] for line in logs if line["event"].startswith("quotas")]
    assert events == ["quotas_not_shared", "quotas_not_shared", "quotas_shared_again", "quotas_shared_again"]


async def test_renewing_goes_on_until_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = asyncio.Event()
    quota = TenantQuota(1)

    async def renew() -> None:
        renewed.set()

    monkeypatch.setattr(quota, "renew", renew)
    monkeypatch.setattr("asr_service.app.services.tenant_quota.RENEWAL_S", 0.0)
    renewing = asyncio.create_task(quota.keep_renewing())
    await renewed.wait()
    renewing.cancel()
    await asyncio.wait([renewing])
    assert renewing.cancelled()

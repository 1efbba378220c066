"""What everybody promises who counts places: the fake here, Redis among the integration tests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from asr_service.domain.ports.session_places import SessionPlaces
from tests.fakes.clocks import FakeClock
from tests.fakes.session_places import InMemorySessionPlaces

LEASE_S = 15.0


@dataclass(frozen=True)
class Counting:
    """Places, all of them free.

    Attributes:
        reopened: The same, as another server has them.
        expire: Lets the lease of a place run out.
    """

    places: SessionPlaces
    reopened: SessionPlaces
    expire: Callable[[str, str], Awaitable[None]]


class SessionPlacesContract:
    """The suite; a subclass provides ``counting``."""

    async def test_so_many_are_given_and_no_more(self, counting: Counting) -> None:
        taken = [await counting.places.take("ada", f"plc_{number}", 3) for number in range(5)]
        assert taken == [True, True, True, False, False]

    async def test_servers_count_together_and_tenants_apart(self, counting: Counting) -> None:
        assert await counting.places.take("ada", "plc_1", 1)
        assert not await counting.reopened.take("ada", "plc_2", 1)
        assert await counting.reopened.take("bob", "plc_2", 1)

    async def test_a_place_that_is_given_back_is_free(self, counting: Counting) -> None:
        await counting.places.take("ada", "plc_1", 1)
        await counting.places.give_back("ada", "plc_1")
        await counting.places.give_back("ada", "plc_1")
        assert await counting.reopened.take("ada", "plc_2", 1)

    async def test_taking_the_same_place_again_takes_no_other(self, counting: Counting) -> None:
        assert await counting.places.take("ada", "plc_1", 2)
        assert await counting.places.take("ada", "plc_1", 2)
        assert await counting.places.take("ada", "plc_2", 2)
        assert await counting.places.take("ada", "plc_1", 2)

    async def test_the_places_of_a_dead_server_come_back(self, counting: Counting) -> None:
        await counting.places.take("ada", "plc_1", 1)
        await counting.expire("ada", "plc_1")
        assert await counting.reopened.take("ada", "plc_2", 1)

    async def test_a_place_that_ran_out_is_taken_again_by_its_renewal(self, counting: Counting) -> None:
        await counting.places.take("ada", "plc_1", 1)
        await counting.expire("ada", "plc_1")
        await counting.places.renew({"ada": ["plc_1"], "bob": ["plc_3", "plc_4"]})
        assert not await counting.reopened.take("ada", "plc_2", 1)
        assert not await counting.reopened.take("bob", "plc_5", 2)


class TestInMemorySessionPlaces(SessionPlacesContract):
    @pytest.fixture
    def counting(self) -> Counting:
        clock = FakeClock()
        places = InMemorySessionPlaces(clock, LEASE_S)

        async def expire(_tenant: str, _place_id: str) -> None:
            clock.advance(LEASE_S)

        return Counting(places, places, expire)

"""Who is alive: nobody is declared dead too early, and a loss is told once."""

import asyncio

import pytest
from structlog.testing import capture_logs

from asr_service.app.services.node_presence import BEAT_S, LEASE_S, NodePresence
from tests.fakes.clocks import FakeClock
from tests.fakes.node_registry import InMemoryNodeRegistry

pytestmark = pytest.mark.usefixtures("tidy")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry(clock: FakeClock) -> InMemoryNodeRegistry:
    return InMemoryNodeRegistry(clock, LEASE_S)


@pytest.fixture
def presence(registry: InMemoryNodeRegistry, clock: FakeClock) -> NodePresence:
    return NodePresence(registry, "nod_1", clock)


async def is_lost(presence: NodePresence) -> bool:
    """Whether a loss is told now."""
    waiting = asyncio.create_task(presence.loss())
    for _ in range(3):
        await asyncio.sleep(0)
    lost = waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    return lost


async def test_a_server_knows_itself_and_the_others(registry: InMemoryNodeRegistry, presence: NodePresence) -> None:
    assert presence.alive == {"nod_1"}
    await registry.beat("nod_2")
    await presence.start()
    assert presence.alive == {"nod_1", "nod_2"}
    await presence.close()
    assert await registry.alive() == {"nod_2"}


async def test_a_server_that_is_silent_for_a_lease_is_lost_and_that_is_told_once(
    registry: InMemoryNodeRegistry, presence: NodePresence, clock: FakeClock
) -> None:
    await registry.beat("nod_2")
    await presence.beat()
    clock.advance(LEASE_S - BEAT_S)
    await presence.beat()
    assert (presence.alive, await is_lost(presence)) == ({"nod_1", "nod_2"}, False)
    clock.advance(BEAT_S)
    with capture_logs() as logs:
        await presence.beat()
    assert presence.alive == {"nod_1"}
    assert [(line["event"], line["nodes"]) for line in logs] == [("nodes_lost", ["nod_2"])]
    assert (await is_lost(presence), await is_lost(presence)) == (True, False)


async def test_whoever_looks_sees_those_who_have_just_come(
    registry: InMemoryNodeRegistry, presence: NodePresence
) -> None:
    await presence.beat()
    await registry.beat("nod_2")
    assert await presence.look() == {"nod_1", "nod_2"}
    registry.available = False
    assert await presence.look() == {"nod_1", "nod_2"}


async def test_while_the_registry_is_away_nobody_is_declared_dead(
    registry: InMemoryNodeRegistry, presence: NodePresence, clock: FakeClock
) -> None:
    await registry.beat("nod_2")
    await presence.beat()
    registry.available = False
    with capture_logs() as logs:
        for _ in range(5):
            clock.advance(LEASE_S)
            await presence.beat()
        registry.available = True
        await presence.beat()
    assert presence.alive == {"nod_1", "nod_2"}
    assert [line["event"] for line in logs] == ["nodes_unknown", "nodes_known_again"]
    clock.advance(BEAT_S)
    await registry.beat("nod_2")
    clock.advance(LEASE_S - BEAT_S)
    await presence.beat()
    assert (presence.alive, await is_lost(presence)) == ({"nod_1", "nod_2"}, False)


async def test_who_is_not_back_a_lease_after_the_registry_is_lost(
    registry: InMemoryNodeRegistry, presence: NodePresence, clock: FakeClock
) -> None:
    await registry.beat("nod_2")
    await presence.beat()
    registry.available = False
    await presence.beat()
    registry.available = True
    await presence.beat()
    clock.advance(LEASE_S)
    await presence.beat()
    assert (presence.alive, await is_lost(presence)) == ({"nod_1"}, True)


async def test_a_registry_that_is_away_holds_up_neither_start_nor_end(
    registry: InMemoryNodeRegistry, presence: NodePresence
) -> None:
    registry.available = False
    await presence.start()
    await presence.close()
    assert presence.alive == {"nod_1"}


async def test_a_presence_that_was_never_begun_can_be_closed(presence: NodePresence) -> None:
    await presence.close()

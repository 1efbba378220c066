"""How lineups are loaded, unloaded and evicted, with stand-ins that start when they are told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from asr_service.domain.ports.model_store import ModelCorrupt, ModelMissing
from asr_service.domain.ports.recognizer import RecognizerUnavailable
from asr_service.domain.ports.recognizer_directory import (
    LineupLoading,
    LineupState,
    LineupUnknown,
    NoMemoryForLineup,
)
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from asr_service.infrastructure.asr.lineup_directory import LineupDirectory
from tests.fakes.clocks import FakeClock
from tests.fakes.lineups import FakeLineup

GB = 1 << 30


@dataclass
class House:
    """Three lineups of 1 GB each, and a directory of them: ``main`` is the default."""

    lineups: dict[str, FakeLineup]
    clock: FakeClock = field(default_factory=FakeClock)
    loads: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def built(cls) -> "House":
        return cls({name: FakeLineup(name, memory_bytes=GB) for name in ("main", "fast", "best")})

    def __getitem__(self, name: str) -> FakeLineup:
        return self.lineups[name]

    @property
    def running(self) -> set[str]:
        return {name for name, lineup in self.lineups.items() if lineup.is_running}

    def directory(
        self,
        routing: LineupRouting | None = None,
        *,
        budget_gb: float | None = None,
        load_wait_s: float = 10.0,
        pinned: tuple[str, ...] = (),
        warm: tuple[str, ...] = (),
    ) -> LineupDirectory:
        return LineupDirectory(
            [lineup.build() for lineup in self.lineups.values()],
            routing or LineupRouting("main"),
            clock=self.clock,
            memory_budget_bytes=None if budget_gb is None else round(budget_gb * GB),
            load_wait_s=load_wait_s,
            pinned=pinned,
            warm=warm,
            on_load=lambda name, outcome: self.loads.append((name, outcome)),
        )

    async def use(self, directory: LineupDirectory, name: str) -> None:
        """Holds it for a second."""
        async with directory.lease(LOCAL_CALLER, name, "ses_1"):
            self.clock.advance(1.0)


@pytest.fixture
def house() -> House:
    return House.built()


@asynccontextmanager
async def leased(directory: LineupDirectory, *names: str | None) -> AsyncIterator[None]:
    async with AsyncExitStack() as held:
        for name in names:
            await held.enter_async_context(directory.lease(LOCAL_CALLER, name, "ses_1"))
        yield


async def until(done: Callable[[], bool]) -> None:
    """Gives others their turns, threads included, until something has come about."""
    async with asyncio.timeout(5):
        while not done():
            await asyncio.to_thread(lambda: None)


async def state_of(directory: LineupDirectory, name: str) -> LineupState:
    return next(status.state for status in await directory.list_lineups() if status.name == name)


async def failure_of(directory: LineupDirectory, name: str) -> str | None:
    return next(status.failure for status in await directory.list_lineups() if status.name == name)


async def error_of(work: Awaitable[object], kind: type[Exception]) -> Exception:
    with pytest.raises(kind) as raised:
        await work
    return raised.value


# --- start and end


async def test_the_default_and_what_is_warm_or_pinned_are_loaded_at_the_start(house: House) -> None:
    async with house.directory(warm=("best",), pinned=("fast", "main")) as directory:
        assert house.running == {"main", "fast", "best"}
        assert [status.pinned for status in await directory.list_lineups()] == [True, True, False]
    assert house.running == set()
    assert house.loads == [("main", "done"), ("fast", "done"), ("best", "done")]


async def test_a_start_that_fails_leaves_nothing_running(house: House) -> None:
    house["best"].failure = RecognizerUnavailable("no")
    await error_of(house.directory(warm=("fast", "best")).start(), RecognizerUnavailable)
    assert house.running == set()
    assert house.loads[-1] == ("best", "recognizer_unavailable")


@pytest.mark.parametrize("routing", [LineupRouting("other"), LineupRouting("main", {"acme": "other"})])
def test_rules_about_what_does_not_exist_are_refused(house: House, routing: LineupRouting) -> None:
    with pytest.raises(LineupUnknown):
        house.directory(routing)


async def test_closing_waits_for_nobody(house: House) -> None:
    directory = house.directory()
    await directory.start()
    house["fast"].opening.clear()
    async with leased(directory, "main"):
        loading = asyncio.create_task(directory.load("fast"))
        await until(directory._turn.locked)
        await directory.close()
        assert house.running == set()
    with pytest.raises(asyncio.CancelledError):
        await loading


async def test_the_check_is_that_of_the_default(house: House) -> None:
    directory = house.directory()
    await error_of(directory.check(), RecognizerUnavailable)
    async with directory:
        await directory.load("fast")
        house["fast"].started[-1].trouble = RecognizerUnavailable("fast")
        await directory.check()
        house["main"].started[-1].trouble = RecognizerUnavailable("main")
        assert str(await error_of(directory.check(), RecognizerUnavailable)) == "main"


# --- loading on demand


async def test_what_is_asked_for_is_loaded_once_for_all_who_ask(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].opening.clear()
        asking = [asyncio.create_task(house.use(directory, "fast")) for _ in range(5)]
        await until(directory._turn.locked)
        assert await state_of(directory, "fast") is LineupState.LOADING
        house["fast"].opening.set()
        await asyncio.gather(*asking)
        assert len(house["fast"].started) == 1


async def test_one_is_loaded_at_a_time(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].opening.clear()
        loads = [asyncio.create_task(directory.load(name)) for name in ("fast", "best")]
        await until(directory._turn.locked)
        assert await state_of(directory, "best") is LineupState.LOADING
        assert house.running == {"main"}
        house["fast"].opening.set()
        await asyncio.gather(*loads)
        assert house.running == {"main", "fast", "best"}


async def test_who_waits_too_long_is_told_to_come_back_and_the_load_goes_on(house: House) -> None:
    async with house.directory(load_wait_s=0.0) as directory:
        house["fast"].opening.clear()
        error = await error_of(house.use(directory, "fast"), LineupLoading)
        assert isinstance(error, LineupLoading)
        assert error.retry_after_s is not None
        house["fast"].opening.set()
        await until(lambda: "fast" in house.running and not directory._turn.locked())
        await house.use(directory, "fast")


async def test_a_client_that_goes_does_not_end_the_load(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].opening.clear()
        asking = asyncio.create_task(house.use(directory, "fast"))
        await until(directory._turn.locked)
        asking.cancel()
        house["fast"].opening.set()
        await directory.load("fast")
        assert len(house["fast"].started) == 1


async def test_a_failure_is_told_for_a_while_and_then_it_is_tried_again(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].failure = RecognizerUnavailable("no")
        await error_of(house.use(directory, "fast"), RecognizerUnavailable)
        assert await failure_of(directory, "fast") == "recognizer_unavailable"
        house["fast"].failure = None
        house.clock.advance(29.0)
        await error_of(house.use(directory, "fast"), RecognizerUnavailable)
        house.clock.advance(1.5)
        await house.use(directory, "fast")
        assert await failure_of(directory, "fast") is None
        assert house.loads[1:] == [("fast", "recognizer_unavailable"), ("fast", "done")]


async def test_an_operator_is_not_told_an_old_failure(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].failure = RecognizerUnavailable("no")
        await error_of(directory.load("fast"), RecognizerUnavailable)
        house["fast"].failure = None
        await directory.load("fast")
        assert house.running == {"main", "fast"}


@pytest.mark.parametrize(
    ("error", "state"), [(ModelMissing("no"), LineupState.MISSING), (ModelCorrupt("no"), LineupState.CORRUPT)]
)
async def test_files_that_are_no_good_are_told_before_anything_is_started(
    house: House, error: ModelMissing | ModelCorrupt, state: LineupState
) -> None:
    house["fast"].broken = error
    async with house.directory() as directory:
        assert await state_of(directory, "fast") is state
        assert await failure_of(directory, "fast") == error.code
        await error_of(directory.load("fast"), type(error))
        assert not house["fast"].started
        await directory.check()


async def test_a_canary_that_cannot_be_had_costs_nobody_the_session(house: House) -> None:
    house["fast"].failure = RecognizerUnavailable("no")
    async with house.directory(LineupRouting("main", canary="fast", canary_share=1.0)) as directory:
        async with directory.lease(LOCAL_CALLER, None, "ses_1") as lease:
            assert lease.lineup == "main"
        await error_of(house.use(directory, "fast"), RecognizerUnavailable)


async def test_a_default_that_cannot_be_had_is_an_error(house: House) -> None:
    async with house.directory() as directory:
        await directory.load("fast")
        await directory.reroute(LineupRouting("fast"))
        house["fast"].started[-1].closed = True
        directory._places["fast"].running = None
        house["fast"].failure = RecognizerUnavailable("no")
        async with AsyncExitStack() as held:
            await error_of(
                held.enter_async_context(directory.lease(LOCAL_CALLER, None, "ses_1")), RecognizerUnavailable
            )


async def test_a_new_default_that_cannot_be_loaded_changes_nothing(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].broken = ModelCorrupt("no")
        await error_of(directory.reroute(LineupRouting("fast")), ModelCorrupt)
        assert directory.routing == LineupRouting("main")
        await house.use(directory, "main")
        assert house.running == {"main"}


# --- unloading


async def test_unloading_returns_when_nothing_is_left(house: House) -> None:
    async with house.directory() as directory:
        await directory.load("fast")
        house["fast"].closing.clear()
        unloading = asyncio.create_task(directory.unload("fast"))
        await until(lambda: "fast" in directory._closings)
        assert await state_of(directory, "fast") is LineupState.DRAINING
        assert not unloading.done()
        house["fast"].closing.set()
        await unloading
        assert house.running == {"main"}


async def test_what_is_being_loaded_is_unloaded_after_that(house: House) -> None:
    async with house.directory() as directory:
        house["fast"].opening.clear()
        loading = asyncio.create_task(directory.load("fast"))
        await until(directory._turn.locked)
        unloading = asyncio.create_task(directory.unload("fast"))
        await asyncio.sleep(0)
        house["fast"].opening.set()
        await asyncio.gather(loading, unloading)
        assert "fast" not in house.running or directory._closings


async def test_what_is_asked_for_while_it_is_being_closed_is_started_anew(house: House) -> None:
    async with house.directory() as directory:
        await directory.load("fast")
        house["fast"].closing.clear()
        unloading = asyncio.create_task(directory.unload("fast"))
        await until(lambda: "fast" in directory._closings)
        asking = asyncio.create_task(house.use(directory, "fast"))
        await until(directory._turn.locked)
        assert len(house["fast"].started) == 1
        house["fast"].closing.set()
        await asyncio.gather(unloading, asking)
        assert [lineup.closed for lineup in house["fast"].started] == [True, False]


# --- the memory budget


async def test_the_one_that_was_used_longest_ago_makes_room(house: House) -> None:
    async with house.directory(budget_gb=2) as directory:
        await house.use(directory, "fast")
        await house.use(directory, "main")
        await house.use(directory, "best")
        assert house.running == {"main", "best"}
        await house.use(directory, "fast")
        assert house.running == {"main", "fast"}


async def test_the_default_and_what_is_pinned_or_held_never_make_room(house: House) -> None:
    async with house.directory(budget_gb=2, pinned=("fast",)) as directory:
        error = await error_of(house.use(directory, "best"), NoMemoryForLineup)
        assert isinstance(error, NoMemoryForLineup)
        assert error.retry_after_s is not None
        assert house.running == {"main", "fast"}
        directory.pin("fast", pinned=False)
        async with leased(directory, "fast"):
            await error_of(house.use(directory, "best"), NoMemoryForLineup)
        await house.use(directory, "best")
        assert house.running == {"main", "best"}


async def test_what_turns_out_to_be_too_large_is_closed_again(house: House) -> None:
    house["fast"].memory_bytes = 3 * GB
    async with house.directory(budget_gb=2) as directory:
        await error_of(house.use(directory, "fast"), NoMemoryForLineup)
        assert [lineup.closed for lineup in house["fast"].started] == [True]
        await error_of(house.use(directory, "fast"), NoMemoryForLineup)
        assert len(house["fast"].started) == 1, "what it takes is known by now"


async def test_memory_that_grew_under_a_session_is_given_back_after_it(house: House) -> None:
    async with house.directory(budget_gb=2.5) as directory:
        async with leased(directory, "fast"):
            house["fast"].started[-1].memory_bytes = 2 * GB
            assert directory.memory_bytes("fast") == 2 * GB
        await until(lambda: "fast" not in house.running)
        assert directory.memory_bytes("fast") == 0
        assert directory.memory_bytes("main") == GB


async def test_without_a_budget_everything_stays(house: House) -> None:
    async with house.directory() as directory:
        for name in ("main", "fast", "best"):
            await house.use(directory, name)
        assert house.running == {"main", "fast", "best"}
        assert directory.leases("fast") == 0


async def test_a_hot_swap_makes_room_when_the_last_old_session_ends(house: House) -> None:
    async with house.directory(budget_gb=2) as directory:
        async with leased(directory, None, None):
            await directory.reroute(LineupRouting("fast"))
            async with leased(directory, None):
                assert house.running == {"main", "fast"}
                assert (directory.leases("main"), directory.leases("fast")) == (2, 1)
        await until(lambda: "main" not in house.running)
        assert house.running == {"fast"}

"""What holds for every directory of recognizers.

The directory has the lineups ``main`` (default, loaded), ``fast`` and ``twin``; ``twin`` has the same model as ``main``.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from asr_service.domain.ports.recognizer_directory import (
    LeasedRecognizer,
    LineupInUse,
    LineupState,
    LineupStatus,
    LineupUnknown,
    RecognizerDirectory,
)
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.domain.value_objects.caller import LOCAL_CALLER, Caller
from tests.fakes.lineups import model_of

NAMES = ("main", "fast", "twin")
UNKNOWN = ("", "other", "MAIN", "model-of-other", "\x00\ud800")


class RecognizerDirectoryContract:
    """Inherit, and give the fixture ``directory``."""

    @pytest.fixture
    async def held(self) -> AsyncIterator[AsyncExitStack]:
        """What is leased until the end of the test, or until it is closed."""
        async with AsyncExitStack() as stack:
            yield stack

    async def test_who_asks_for_nothing_gets_the_default(self, directory: RecognizerDirectory) -> None:
        async with directory.lease(LOCAL_CALLER, None, "ses_1") as leased:
            assert leased.lineup == "main"
            assert leased.capabilities.model == model_of("main")

    @pytest.mark.parametrize(("wanted", "given"), [("fast", "fast"), ("twin", "twin"), ("model-of-fast", "fast")])
    async def test_a_name_is_that_of_a_lineup_or_of_its_model(
        self, directory: RecognizerDirectory, wanted: str, given: str
    ) -> None:
        assert directory.resolve(wanted) == given
        async with directory.lease(LOCAL_CALLER, wanted, "ses_1") as leased:
            assert leased.lineup == given

    async def test_of_several_lineups_with_a_model_the_default_goes_first(self, directory: RecognizerDirectory) -> None:
        assert directory.resolve(model_of("main")) == "main"
        await directory.reroute(LineupRouting("twin"))
        assert directory.resolve(model_of("main")) == "twin"
        await directory.reroute(LineupRouting("fast"))
        assert directory.resolve(model_of("main")) == "main"

    @pytest.mark.parametrize("name", UNKNOWN)
    async def test_what_has_no_name_here_is_refused_everywhere(self, directory: RecognizerDirectory, name: str) -> None:
        before = await directory.list_lineups()
        with pytest.raises(LineupUnknown):
            directory.resolve(name)
        with pytest.raises(LineupUnknown):
            async with directory.lease(LOCAL_CALLER, name, "ses_1"):
                pass
        with pytest.raises(LineupUnknown):
            await directory.load(name)
        with pytest.raises(LineupUnknown):
            await directory.unload(name)
        with pytest.raises(LineupUnknown):
            directory.pin(name, pinned=True)
        with pytest.raises(LineupUnknown):
            await directory.reroute(LineupRouting(name))
        with pytest.raises(LineupUnknown):
            await directory.reroute(LineupRouting("main", canary=name, canary_share=0.5))
        assert directory.routing == LineupRouting("main")
        assert await directory.list_lineups() == before

    async def test_tenants_and_the_canary_get_their_own(self, directory: RecognizerDirectory) -> None:
        await directory.load("twin")  # nobody waits for a canary
        await directory.reroute(LineupRouting("main", {"acme": "fast"}, canary="twin", canary_share=1.0))
        async with directory.lease(Caller("acme"), None, "ses_1") as leased:
            assert leased.lineup == "fast"
        async with directory.lease(LOCAL_CALLER, None, "ses_1") as leased:
            assert leased.lineup == "twin"
        async with directory.lease(Caller("acme"), "main", "ses_1") as leased:
            assert leased.lineup == "main"

    async def test_all_lineups_are_listed_in_their_order(self, directory: RecognizerDirectory) -> None:
        found = await directory.list_lineups()
        assert [status.name for status in found] == list(NAMES)
        assert [status.models.finals for status in found] == [model_of(name) for name in NAMES]
        assert [status.is_default for status in found] == [True, False, False]
        assert [status.state for status in found] == [LineupState.READY, LineupState.INSTALLED, LineupState.INSTALLED]
        assert [status.capabilities is None for status in found] == [False, True, True]
        assert [status.memory_bytes is None for status in found] == [False, True, True]

    async def test_leases_are_counted(self, directory: RecognizerDirectory) -> None:
        async with directory.lease(LOCAL_CALLER, "fast", "ses_1"), directory.lease(LOCAL_CALLER, "fast", "ses_2"):
            assert (await status_of(directory, "fast")).leases == 2
        status = await status_of(directory, "fast")
        assert (status.leases, status.state) == (0, LineupState.READY)

    async def test_a_lease_ends_with_an_exception_too(self, directory: RecognizerDirectory) -> None:
        with pytest.raises(ZeroDivisionError):
            async with directory.lease(LOCAL_CALLER, "fast", "ses_1"):
                raise ZeroDivisionError
        assert (await status_of(directory, "fast")).leases == 0

    async def test_loading_twice_is_loading_once(self, directory: RecognizerDirectory) -> None:
        await directory.load("fast")
        await directory.load("fast")
        assert (await status_of(directory, "fast")).state is LineupState.READY

    async def test_unloading_waits_for_the_last_lease(
        self, directory: RecognizerDirectory, held: AsyncExitStack
    ) -> None:
        first = await lease(directory, held, "fast")
        second = AsyncExitStack()
        await lease(directory, second, "fast")
        await directory.unload("fast")
        assert (await status_of(directory, "fast")).state is LineupState.DRAINING
        await second.aclose()
        assert (await status_of(directory, "fast")).state is LineupState.DRAINING
        assert first.capabilities.model == model_of("fast")
        await held.aclose()
        await eventually_installed(directory, "fast")

    async def test_what_is_not_loaded_can_be_unloaded(self, directory: RecognizerDirectory) -> None:
        await directory.unload("fast")
        assert (await status_of(directory, "fast")).state is LineupState.INSTALLED

    async def test_what_drains_and_is_asked_for_again_stays(
        self, directory: RecognizerDirectory, held: AsyncExitStack
    ) -> None:
        await lease(directory, held, "fast")
        await directory.unload("fast")
        async with directory.lease(LOCAL_CALLER, "fast", "ses_2"):
            pass
        await held.aclose()
        assert (await status_of(directory, "fast")).state is LineupState.READY

    async def test_what_drains_and_is_loaded_again_stays(
        self, directory: RecognizerDirectory, held: AsyncExitStack
    ) -> None:
        await lease(directory, held, "fast")
        await directory.unload("fast")
        await directory.load("fast")
        await held.aclose()
        assert (await status_of(directory, "fast")).state is LineupState.READY

    @pytest.mark.parametrize(
        "routing",
        [
            LineupRouting("fast"),
            LineupRouting("main", {"acme": "fast"}),
            LineupRouting("main", canary="fast", canary_share=0.1),
        ],
    )
    async def test_what_sessions_are_routed_to_is_not_unloaded(
        self, directory: RecognizerDirectory, routing: LineupRouting
    ) -> None:
        await directory.load("fast")
        await directory.reroute(routing)
        with pytest.raises(LineupInUse):
            await directory.unload("fast")
        assert (await status_of(directory, "fast")).state is LineupState.READY

    async def test_what_is_pinned_is_not_unloaded(self, directory: RecognizerDirectory) -> None:
        await directory.load("fast")
        directory.pin("fast", pinned=True)
        with pytest.raises(LineupInUse):
            await directory.unload("fast")
        directory.pin("fast", pinned=False)
        await directory.unload("fast")
        await eventually_installed(directory, "fast")

    async def test_new_sessions_take_the_new_default_and_old_ones_keep_theirs(
        self, directory: RecognizerDirectory, held: AsyncExitStack
    ) -> None:
        old = await lease(directory, held, None)
        await directory.reroute(LineupRouting("fast"))
        async with directory.lease(LOCAL_CALLER, None, "ses_2") as new:
            assert (old.lineup, new.lineup) == ("main", "fast")
            assert old.capabilities.model == model_of("main")
        assert (await status_of(directory, "main")).state is LineupState.DRAINING
        await held.aclose()
        await eventually_installed(directory, "main")
        await directory.check()

    async def test_a_pinned_default_stays_when_another_takes_its_place(self, directory: RecognizerDirectory) -> None:
        directory.pin("main", pinned=True)
        await directory.reroute(LineupRouting("fast"))
        assert (await status_of(directory, "main")).state is LineupState.READY

    async def test_holders_are_told_once_when_their_lineup_is_to_go(
        self, directory: RecognizerDirectory, held: AsyncExitStack
    ) -> None:
        told: list[str] = []
        (await lease(directory, held, "fast")).on_retired(lambda: told.append("first"))
        second = await lease(directory, held, "fast")
        await directory.unload("fast")
        assert told == ["first"]
        second.on_retired(lambda: told.append("second"))
        assert told == ["first", "second"]
        await directory.unload("fast")
        assert told == ["first", "second"]

    async def test_who_has_let_go_is_told_nothing(self, directory: RecognizerDirectory, held: AsyncExitStack) -> None:
        await lease(directory, held, "fast")
        async with directory.lease(LOCAL_CALLER, "fast", "ses_2") as leased:
            leased.on_retired(never)
        await directory.unload("fast")


def never() -> None:
    raise AssertionError("nobody is to be told")


async def lease(directory: RecognizerDirectory, held: AsyncExitStack, wanted: str | None) -> LeasedRecognizer:
    return await held.enter_async_context(directory.lease(LOCAL_CALLER, wanted, "ses_1"))


async def status_of(directory: RecognizerDirectory, name: str) -> LineupStatus:
    return next(status for status in await directory.list_lineups() if status.name == name)


async def eventually_installed(directory: RecognizerDirectory, name: str) -> None:
    """Returns when it is not loaded any more; ``unload`` waits for that if there is no lease."""
    await directory.unload(name)
    assert (await status_of(directory, name)).state is LineupState.INSTALLED

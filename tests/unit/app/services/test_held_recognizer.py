"""The recognizer of a connection, held and exchanged."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from asr_service.app.services.held_recognizer import HeldRecognizer
from asr_service.domain.ports.recognizer_directory import LineupState, LineupUnknown
from asr_service.domain.services.lineup_routing import LineupRouting
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.caller import LOCAL_CALLER
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer


@pytest.fixture
def directory() -> FakeRecognizerDirectory:
    named = {
        name: FakeRecognizer(capabilities=replace(CAPABILITIES, model=f"model-{name}"))
        for name in ("main", "fast", "best")
    }
    return FakeRecognizerDirectory(named)


@pytest.fixture
async def held(directory: FakeRecognizerDirectory) -> AsyncIterator[HeldRecognizer]:
    async with HeldRecognizer(directory, LOCAL_CALLER, "ses_1") as recognizer:
        yield recognizer


async def leases(directory: FakeRecognizerDirectory) -> dict[str, int]:
    return {status.name: status.leases for status in await directory.list_lineups() if status.leases}


def lineup_of(held: HeldRecognizer) -> str | None:
    return held.named_in(SessionConfig()).lineup


async def test_it_is_held_until_the_end(directory: FakeRecognizerDirectory) -> None:
    async with HeldRecognizer(directory, LOCAL_CALLER, "ses_1") as held:
        assert held.recognizer.capabilities is held.capabilities
        assert held.capabilities.model == "model-main"
        assert await leases(directory) == {"main": 1}
    assert await leases(directory) == {}


async def test_what_the_connection_asks_for_is_held_from_the_beginning(directory: FakeRecognizerDirectory) -> None:
    async with HeldRecognizer(directory, LOCAL_CALLER, "ses_1", "model-best") as held:
        assert lineup_of(held) == "best"


async def test_another_is_held_in_its_place(directory: FakeRecognizerDirectory, held: HeldRecognizer) -> None:
    assert (await held.choose("fast")).model == "model-fast"
    assert await leases(directory) == {"fast": 1}
    assert lineup_of(held) == "fast"


async def test_the_same_by_another_name_stays(directory: FakeRecognizerDirectory, held: HeldRecognizer) -> None:
    before = held.recognizer
    await held.choose("model-main")
    assert held.recognizer is before
    assert await leases(directory) == {"main": 1}


async def test_what_cannot_be_had_changes_nothing(directory: FakeRecognizerDirectory, held: HeldRecognizer) -> None:
    with pytest.raises(LineupUnknown):
        await held.choose("other")
    assert await leases(directory) == {"main": 1}


async def test_a_resumed_session_gets_what_it_had(held: HeldRecognizer) -> None:
    assert (await held.choose_again("fast")).model == "model-fast"
    assert not held.substituted


async def test_a_session_from_before_there_were_names_gets_the_default(held: HeldRecognizer) -> None:
    assert (await held.choose_again(None)).model == "model-main"
    assert not held.substituted


async def test_a_resumed_session_whose_lineup_is_gone_gets_the_default_and_it_shows(held: HeldRecognizer) -> None:
    assert (await held.choose_again("gone")).model == "model-main"
    assert held.substituted


async def test_who_asks_is_told_when_it_is_to_go(directory: FakeRecognizerDirectory, held: HeldRecognizer) -> None:
    told: list[str] = []
    held.tell_retired(lambda: told.append("told"))
    await directory.reroute(LineupRouting("fast"))
    assert told == ["told"]


async def test_who_asks_late_is_told_at_once(directory: FakeRecognizerDirectory, held: HeldRecognizer) -> None:
    told: list[str] = []
    await directory.reroute(LineupRouting("fast"))
    held.tell_retired(lambda: told.append("told"))
    assert told == ["told"]


async def test_what_is_not_held_any_more_tells_nothing(
    directory: FakeRecognizerDirectory, held: HeldRecognizer
) -> None:
    await held.choose("best")
    told: list[str] = []
    held.tell_retired(lambda: told.append("told"))
    await directory.reroute(LineupRouting("fast"))
    assert told == []
    states = {status.name: status.state for status in await directory.list_lineups()}
    assert states["main"] is LineupState.INSTALLED
    assert states["best"] is LineupState.READY

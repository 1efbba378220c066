"""What operators may do with lineups."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from asr_service.app.services.lineup_control import ChangesNotAllowed, LineupControl
from asr_service.domain.ports.recognizer_directory import LineupState, LineupUnknown
from asr_service.domain.services.lineup_routing import LineupRouting, RoutingNotAllowed
from tests.fakes.engines import CAPABILITIES
from tests.fakes.recognizer_directory import FakeRecognizerDirectory
from tests.fakes.recognizers import FakeRecognizer

CHANGES: list[Callable[[LineupControl], Awaitable[object]]] = [
    lambda control: control.load("fast"),
    lambda control: control.unload("fast"),
    lambda control: control.pin("fast", pinned=True),
    lambda control: control.reroute(default="fast"),
]


def make_control(*, changes_allowed: bool = True) -> LineupControl:
    named = {
        name: FakeRecognizer(capabilities=replace(CAPABILITIES, model=f"model-{name}")) for name in ("main", "fast")
    }
    return LineupControl(FakeRecognizerDirectory(named), changes_allowed=changes_allowed)


async def test_everybody_may_look() -> None:
    control = make_control(changes_allowed=False)
    assert [status.name for status in await control.list_lineups()] == ["main", "fast"]
    assert (await control.get_lineup("model-fast")).name == "fast"
    assert control.routing == LineupRouting("main")
    with pytest.raises(LineupUnknown):
        await control.get_lineup("other")


@pytest.mark.parametrize("change", CHANGES)
async def test_nobody_may_change_anything_unless_it_is_allowed(
    change: Callable[[LineupControl], Awaitable[object]],
) -> None:
    control = make_control(changes_allowed=False)
    before = await control.list_lineups()
    with pytest.raises(ChangesNotAllowed) as refused:
        await change(control)
    assert "lineups.changes_allowed" in (refused.value.hint or "")
    assert (await control.list_lineups(), control.routing) == (before, LineupRouting("main"))


async def test_changes_are_answered_by_how_it_stands_then() -> None:
    control = make_control()
    assert (await control.load("fast")).state is LineupState.READY
    assert (await control.pin("fast", pinned=True)).pinned
    assert not (await control.pin("model-fast", pinned=False)).pinned
    assert (await control.unload("fast")).state is LineupState.INSTALLED


async def test_what_is_not_named_of_the_routing_stays() -> None:
    control = make_control()
    await control.reroute(canary="fast", canary_share=0.5)
    await control.reroute(tenants={"acme": "fast"})
    assert control.routing == LineupRouting("main", {"acme": "fast"}, "fast", 0.5)


async def test_rules_that_do_not_fit_are_refused_and_change_nothing() -> None:
    control = make_control()
    with pytest.raises(RoutingNotAllowed):
        await control.reroute(canary_share=0.5)
    assert control.routing == LineupRouting("main")

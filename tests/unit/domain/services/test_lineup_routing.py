"""Who gets which lineup."""

import pytest

from asr_service.domain.services.lineup_routing import LineupRouting, RoutingNotAllowed

SESSIONS = [f"ses_{number}" for number in range(2_000)]


def chosen_for_canary(share: float) -> set[str]:
    routing = LineupRouting("main", canary="new", canary_share=share)
    return {session_id for session_id in SESSIONS if routing.choose("default", session_id) == "new"}


def test_everybody_gets_the_default() -> None:
    assert {LineupRouting("main").choose("default", session_id) for session_id in SESSIONS} == {"main"}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_canary_gets_its_share(share: float) -> None:
    assert len(chosen_for_canary(share)) == pytest.approx(share * len(SESSIONS), abs=0.04 * len(SESSIONS))


def test_who_is_in_the_share_is_in_every_larger_one() -> None:
    assert chosen_for_canary(0.1) < chosen_for_canary(0.3) < chosen_for_canary(1.0) == set(SESSIONS)


def test_a_session_gets_the_same_again() -> None:
    assert chosen_for_canary(0.3) == chosen_for_canary(0.3)


def test_a_tenants_lineup_goes_before_the_canary() -> None:
    routing = LineupRouting("main", {"acme": "theirs"}, canary="new", canary_share=1.0)
    assert routing.choose("acme", "ses_1") == "theirs"
    assert routing.choose("default", "ses_1") == "new"


def test_all_lineups_that_somebody_may_get_are_known() -> None:
    assert LineupRouting("main").lineups == {"main"}
    routing = LineupRouting("main", {"acme": "theirs", "other": "main"}, canary="new")
    assert routing.lineups == {"main", "theirs", "new"}


@pytest.mark.parametrize(
    ("canary", "share", "field"),
    [
        ("new", -0.1, "canary_share"),
        ("new", 1.1, "canary_share"),
        ("new", float("nan"), "canary_share"),
        (None, 0.1, "canary"),
    ],
)
def test_rules_that_do_not_fit_are_refused(canary: str | None, share: float, field: str) -> None:
    with pytest.raises(RoutingNotAllowed) as refused:
        LineupRouting("main", canary=canary, canary_share=share)
    assert refused.value.field == field

"""Limits find their figures, and hold or do not."""

import copy
from typing import Any

import pytest

from scripts.benchmarks.limits import LIMITS, Limit, check_limits
from tests.unit.benchmarks.example_report import example_report


def verdicts(report: dict[str, Any]) -> dict[str, bool | None]:
    return {check["limit"]: check["holds"] for check in check_limits(report)}


@pytest.mark.parametrize(
    ("flags", "below", "equal", "above"),
    [({}, True, False, False), ({"at_most": True}, True, True, False), ({"at_least": True}, False, True, True)],
)
def test_bounds_are_strict_unless_they_say_otherwise(
    flags: dict[str, bool], below: bool, equal: bool, above: bool
) -> None:
    limit = Limit("x", "ms", 5, lambda _: None, **flags)
    assert (limit.holds(4.9), limit.holds(5), limit.holds(5.1)) == (below, equal, above)


def test_every_limit_finds_its_figure_in_a_full_report() -> None:
    checks = check_limits(example_report())
    assert len(checks) == len(LIMITS) + 1
    assert [check["limit"] for check in checks if check["measured"] is None] == []


def test_what_was_not_measured_neither_holds_nor_fails() -> None:
    assert set(verdicts({}).values()) == {None}


def test_runs_are_told_apart_by_speakers_and_interval() -> None:
    report = example_report()
    (fixed,) = [run for run in report["live"]["runs"] if (run["speakers"], run["interval_ms"]) == (12, 1_000)]
    fixed["cpu_s_per_stream_s"] = 0.21
    before, after = verdicts(example_report()), verdicts(report)
    assert [name for name in after if after[name] != before[name]] == [
        "12 speakers, a partial each second: CPU s per stream s"
    ]


def test_the_lag_of_the_event_loop_is_measured_from_outside_if_it_is_not_served() -> None:
    report = example_report()
    (run,) = [run for run in report["live"]["runs"] if run["speakers"] == 16]
    (name,) = [name for name in verdicts(report) if "event loop" in name]
    run["ping_ms"]["p99"] = 51
    assert verdicts(report)[name] is False
    run["service"]["loop_lag_ms"]["p99"] = 3.0
    assert verdicts(report)[name] is True


def test_errors_are_compared_over_all_recordings() -> None:
    report = copy.deepcopy(example_report())
    report["offline"]["all_recordings"]["error_percent"] = 9.0
    assert verdicts(report)["all recordings: errors above those with pieces padded to 30 s"] is False


@pytest.mark.parametrize("fault", ["lost", "doubled", "failed", "retracted_stable_characters", "broken"])
def test_no_run_may_have_a_fault(fault: str) -> None:
    report = example_report()
    report["live"]["runs"][1][fault] = 1
    assert [name for name, holds in verdicts(report).items() if holds is False] == [
        "all live runs: utterances lost, doubled or failed, stable characters retracted, sessions broken"
    ]

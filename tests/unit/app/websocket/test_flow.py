"""Hints about the flow come with changes only, and seldom."""

from asr_service.app.api.v1.live.flow import QUIET_S, WAIT_WORTH_TELLING_S, FlowHints
from asr_service.domain.events.session_events import FlowState


def test_what_flows_is_not_spoken_of() -> None:
    hints = FlowHints()
    hints.frame_waited(WAIT_WORTH_TELLING_S / 2)
    hints.partial_due(dropped=False)
    assert hints.due(0.0) is None


def test_a_frame_that_waits_is_told_once_and_its_end_too() -> None:
    hints = FlowHints()
    hints.frame_waited(WAIT_WORTH_TELLING_S)
    assert [hints.due(now_s) for now_s in (0.0, 5.0)] == [FlowState.INPUT_WAITS, None]
    hints.frame_waited(0.0)
    assert [hints.due(now_s) for now_s in (5.0, 9.0)] == [FlowState.NORMAL, None]


def test_a_client_that_misses_partials_is_told_of_that_first() -> None:
    hints = FlowHints()
    hints.frame_waited(2.0)
    hints.partial_due(dropped=True)
    assert hints.due(0.0) is FlowState.OUTPUT_WAITS
    hints.partial_due(dropped=False)
    assert hints.due(QUIET_S) is FlowState.INPUT_WAITS


def test_nothing_is_told_within_a_second_of_the_last_hint() -> None:
    hints = FlowHints()
    hints.partial_due(dropped=True)
    assert hints.due(10.0) is FlowState.OUTPUT_WAITS
    hints.partial_due(dropped=False)
    assert hints.due(10.0 + QUIET_S / 2) is None
    assert hints.due(10.0 + QUIET_S) is FlowState.NORMAL

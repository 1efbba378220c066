"""Cursors say where a listing goes on, and nothing else passes for one."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_service.infrastructure.persistence.cursors import ResultPosition, SessionPosition
from asr_service.shared.errors import InvalidRequest

NOON = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(st.datetimes(timezones=st.just(UTC)), st.text(max_size=40))
def test_a_session_position_survives_the_journey(started_at: datetime, session_id: str) -> None:
    position = SessionPosition(started_at, session_id)
    assert SessionPosition.from_cursor(position.to_cursor()) == position


@given(st.text(max_size=40), st.integers(0, 2**31 - 1))
def test_a_result_position_survives_the_journey(session_id: str, utterance: int) -> None:
    position = ResultPosition(session_id, utterance)
    assert ResultPosition.from_cursor(position.to_cursor(), session_id) == position


def test_a_cursor_can_stand_in_a_url_as_it_is() -> None:
    cursor = SessionPosition(NOON, "ses_>>>???中").to_cursor()
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_of_an_instant_elsewhere_is_the_same() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert SessionPosition(elsewhere, "ses_1").to_cursor() == SessionPosition(NOON, "ses_1").to_cursor()


@given(st.text() | JSON.map(encoded) | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_other_text_is_an_invalid_request_that_names_the_field(text: str) -> None:
    with pytest.raises(InvalidRequest) as sessions_refusal:
        SessionPosition.from_cursor(text)
    with pytest.raises(InvalidRequest) as results_refusal:
        ResultPosition.from_cursor(text, "ses_1")
    assert sessions_refusal.value.field == results_refusal.value.field == "cursor"


@pytest.mark.parametrize(
    "parts",
    [
        ["sessions", "2026-03-01T12:00:00", "ses_1"],  # no zone
        ["sessions", "2026-03-01T12:00:00+08:00", "ses_1"],  # not UTC
        ["sessions", "0001-01-01T00:00:00+23:59", "ses_1"],  # before the first year in UTC
        ["sessions", "soon", "ses_1"],
        ["sessions", 1_772_366_400, "ses_1"],
        ["sessions", NOON.isoformat(), 1],
        ["sessions", NOON.isoformat(), "ses_1", 1],
        ["results", NOON.isoformat(), "ses_1"],
        {"sessions": 1},
    ],
)
def test_a_forged_session_cursor_is_refused(parts: object) -> None:
    with pytest.raises(InvalidRequest):
        SessionPosition.from_cursor(encoded(parts))


@pytest.mark.parametrize("utterance", [-1, 2**31, 10**100, True, 1.0, "1", None])
def test_a_result_cursor_with_an_impossible_utterance_is_refused(utterance: object) -> None:
    with pytest.raises(InvalidRequest):
        ResultPosition.from_cursor(encoded(["results", "ses_1", utterance]), "ses_1")


def test_deeply_nested_and_endless_texts_are_refused() -> None:
    for text in (encoded("a" * 1_000), base64.urlsafe_b64encode(b"[" * 300).decode(), "A" * 1_000_000):
        with pytest.raises(InvalidRequest):
            SessionPosition.from_cursor(text)

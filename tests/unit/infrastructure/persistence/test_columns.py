"""Values on their way into and out of both databases."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Dialect, make_url

from asr_service.infrastructure.persistence.columns import (
    FiniteDouble,
    IdentifierText,
    StorableText,
    UtcDateTime,
    finite,
    storable,
)

SQLITE: Dialect = make_url("sqlite+aiosqlite:///asr.db").get_dialect()()
POSTGRESQL: Dialect = make_url("postgresql+asyncpg://").get_dialect()()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_ordinary_text_is_stored_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(st.text(st.characters()))
def test_any_text_becomes_storable_and_keeps_its_length(text: str) -> None:
    stored = storable(text)
    assert len(stored) == len(text)
    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
def test_unknown_text_stays_unknown(dialect: Dialect) -> None:
    assert StorableText().process_bind_param(None, dialect) is None
    assert StorableText().process_bind_param("a\x00b", dialect) == "a\N{REPLACEMENT CHARACTER}b"


def test_identifiers_sort_by_code_points_on_both_databases() -> None:
    assert IdentifierText().compile(dialect=SQLITE) == "TEXT"
    assert IdentifierText().compile(dialect=POSTGRESQL) == 'TEXT COLLATE "C"'


def test_an_instant_is_stored_in_utc() -> None:
    in_shanghai = NOON.astimezone(timezone(timedelta(hours=8)))
    assert UtcDateTime().process_bind_param(in_shanghai, SQLITE) == NOON.replace(tzinfo=None)
    for_postgresql = UtcDateTime().process_bind_param(in_shanghai, POSTGRESQL)
    assert for_postgresql is not None
    assert (for_postgresql, for_postgresql.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("stored", [NOON.replace(tzinfo=None), NOON, NOON.astimezone(timezone(timedelta(hours=8)))])
def test_an_instant_is_read_in_utc(stored: datetime) -> None:
    read = UtcDateTime().process_result_value(stored, SQLITE)
    assert read is not None
    assert (read, read.tzinfo) == (NOON, UTC)


def test_a_missing_instant_stays_missing() -> None:
    assert UtcDateTime().process_bind_param(None, SQLITE) is None
    assert UtcDateTime().process_result_value(None, SQLITE) is None


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), SQLITE)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_finite_number_is_unknown(value: float | None) -> None:
    assert finite(value) is None
    assert FiniteDouble().process_bind_param(value, POSTGRESQL) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_is_stored_as_it_is(value: float) -> None:
    assert FiniteDouble().process_bind_param(value, SQLITE) == value

"""Rows have exactly the columns of their tables."""

import math
from datetime import UTC, datetime

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import SessionStatus
from asr_service.infrastructure.persistence.rows import result_row, session_row
from asr_service.infrastructure.persistence.tables import metadata, results, sessions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESULT = RecognitionResult(
    "ses_1",
    "default",
    3,
    SampleSpan(5, 9),
    Hypothesis("a", (Word("a\x00", SampleSpan(5, 8), math.nan),), Timing.ALIGNED),
    NOON,
)


def test_a_session_fills_every_column() -> None:
    row = session_row(SessionRecord("ses_1", "default", None, None, None, SessionStatus.OPENING, NOON))
    assert row.keys() == {column.name for column in sessions.columns}


def test_a_result_fills_every_column() -> None:
    assert result_row(RESULT).keys() == {column.name for column in results.columns}


def test_words_are_objects_of_plain_json_with_units_in_their_names() -> None:
    word = {"text": "a\N{REPLACEMENT CHARACTER}", "start_samples": 5, "end_samples": 8, "confidence": None}
    assert result_row(RESULT)["words"] == [word]


def test_every_table_names_the_tenant_of_each_row() -> None:
    of_tenants = [table for name, table in metadata.tables.items() if name != "nodes"]  # which are everybody's
    without = [table.name for table in of_tenants if "tenant" not in table.columns]
    assert without == []
    assert all(not table.columns["tenant"].nullable for table in of_tenants)

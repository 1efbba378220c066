"""Between rows and what the domain calls them."""

from typing import Any

from sqlalchemy import Row

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.value_objects.audio_metadata import SampleSpan
from asr_service.domain.value_objects.hypothesis import Hypothesis, Timing, Word
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus
from asr_service.infrastructure.persistence.columns import finite, storable


def session_row(record: SessionRecord) -> dict[str, Any]:
    """The columns of ``sessions``."""
    return {
        "session_id": record.session_id,
        "tenant": record.tenant,
        "key_id": record.key_id,
        "name": record.name,
        "language": record.language,
        "status": record.status.value,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "end_reason": None if record.end_reason is None else record.end_reason.value,
        "received_samples": record.received_samples,
        "decoded_samples": record.decoded_samples,
        "finalized_samples": record.finalized_samples,
        "node_id": record.node_id,
        "epoch": record.epoch,
    }


def session_record(row: Row[Any]) -> SessionRecord:
    """The record in a row of ``sessions``."""
    columns = dict(row._mapping)
    reason = columns.pop("end_reason")
    return SessionRecord(
        status=SessionStatus(columns.pop("status")),
        end_reason=None if reason is None else EndReason(reason),
        **columns,
    )


def result_row(result: RecognitionResult) -> dict[str, Any]:
    """The columns of ``results``."""
    hypothesis = result.hypothesis
    return {
        "session_id": result.session_id,
        "utterance": result.utterance,
        "tenant": result.tenant,
        "start_samples": result.span.start,
        "end_samples": result.span.end,
        "text": hypothesis.text,
        "words": [_word_json(word) for word in hypothesis.words],
        "timing": hypothesis.timing.value,
        "language": hypothesis.language,
        "language_confidence": hypothesis.language_confidence,
        "average_logprob": hypothesis.average_logprob,
        "no_speech_probability": hypothesis.no_speech_probability,
        "compression_ratio": hypothesis.compression_ratio,
        "created_at": result.created_at,
    }


def recognition_result(row: Row[Any]) -> RecognitionResult:
    """The final in a row of ``results``."""
    return RecognitionResult(
        session_id=row.session_id,
        tenant=row.tenant,
        utterance=row.utterance,
        span=SampleSpan(row.start_samples, row.end_samples),
        hypothesis=Hypothesis(
            text=row.text,
            words=tuple(_word(item) for item in row.words),
            timing=Timing(row.timing),
            language=row.language,
            language_confidence=row.language_confidence,
            average_logprob=row.average_logprob,
            no_speech_probability=row.no_speech_probability,
            compression_ratio=row.compression_ratio,
        ),
        created_at=row.created_at,
    )


def _word_json(word: Word) -> dict[str, Any]:
    return {
        "text": storable(word.text),
        "start_samples": word.span.start,
        "end_samples": word.span.end,
        "confidence": finite(word.confidence),
    }


def _word(item: dict[str, Any]) -> Word:
    return Word(item["text"], SampleSpan(item["start_samples"], item["end_samples"]), item["confidence"])

"""What the native REST interface answers."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from asr_service.domain.entities.recognition_result import RecognitionResult
from asr_service.domain.entities.session_record import SessionRecord
from asr_service.domain.ports.transcript_reader import Page
from asr_service.domain.value_objects.audio_metadata import ms_from_samples
from asr_service.domain.value_objects.hypothesis import Timing, Word
from asr_service.domain.value_objects.session_status import EndReason, SessionStatus


class ProblemResponse(BaseModel):
    """Problem details after RFC 9457; ``code`` is stable, ``hint`` says what to do."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    field: str | None = None
    request_id: str | None = None


class SessionResponse(BaseModel):
    """A live session that is, or was, served."""

    id: str
    name: str | None
    language: str | None = Field(description="as asked for; null means detection")
    status: SessionStatus
    started_at: datetime
    ended_at: datetime | None
    end_reason: EndReason | None
    resumable_until: datetime | None = Field(
        description="a session that was broken off can be resumed until then, if nobody does before; null: it cannot"
    )
    received_ms: int
    decoded_ms: int
    final_ms: int

    @classmethod
    def of(cls, record: SessionRecord) -> Self:
        return cls(
            id=record.session_id,
            name=record.name,
            language=record.language,
            status=record.status,
            started_at=record.started_at,
            ended_at=record.ended_at,
            end_reason=record.end_reason,
            resumable_until=record.resumable_until,
            received_ms=ms_from_samples(record.received_samples),
            decoded_ms=ms_from_samples(record.decoded_samples),
            final_ms=ms_from_samples(record.finalized_samples),
        )


class WordResponse(BaseModel):
    """A word, and where it was spoken."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None

    @classmethod
    def of(cls, word: Word) -> Self:
        start_ms, end_ms = ms_from_samples(word.span.start), ms_from_samples(word.span.end)
        return cls(text=word.text, start_ms=start_ms, end_ms=end_ms, confidence=word.confidence)


class ResultResponse(BaseModel):
    """The final of one utterance."""

    utterance: int
    start_ms: int
    end_ms: int
    text: str
    language: str | None
    timing: Timing
    words: list[WordResponse]
    created_at: datetime

    @classmethod
    def of(cls, result: RecognitionResult) -> Self:
        return cls(
            utterance=result.utterance,
            start_ms=ms_from_samples(result.span.start),
            end_ms=ms_from_samples(result.span.end),
            text=result.hypothesis.text,
            language=result.hypothesis.language,
            timing=result.hypothesis.timing,
            words=[WordResponse.of(word) for word in result.hypothesis.words],
            created_at=result.created_at,
        )


class SessionPage(BaseModel):
    """Sessions, the newest first; ``next_cursor`` leads to the next page, null on the last."""

    items: list[SessionResponse]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[SessionRecord]) -> Self:
        return cls(items=[SessionResponse.of(record) for record in page.items], next_cursor=page.next_cursor)


class ResultPage(BaseModel):
    """Results in the order of the utterances; ``next_cursor`` leads to the next page, null on the last."""

    items: list[ResultResponse]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[RecognitionResult]) -> Self:
        return cls(items=[ResultResponse.of(result) for result in page.items], next_cursor=page.next_cursor)


class LivenessResponse(BaseModel):
    """The process answers."""

    status: str = "alive"


class ReadinessResponse(BaseModel):
    """Whether work can be sent here; per part ``ok``, or what is wrong with it."""

    status: str
    checks: dict[str, str]

"""Transcripts and translations as OpenAI's clients read them."""

from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse, PlainTextResponse

from asr_service.app.api.openai.transcription_form import Granularity, ResponseFormat, TranscriptionRequest
from asr_service.app.dto.language_names import language_name
from asr_service.app.dto.openai import (
    DiarizedSegment,
    DiarizedTranscriptionResponse,
    TranscriptionResponse,
    TranscriptionSegment,
    TranscriptionWord,
    TranslationResponse,
    VerboseTranscriptionResponse,
    VerboseTranslationResponse,
    usage_of,
)
from asr_service.app.services.transcript_formats import to_srt, to_text, to_vtt
from asr_service.domain.services.captions import caption
from asr_service.domain.services.speaker_labels import parts_by_speaker
from asr_service.domain.value_objects.asr_config import Task
from asr_service.domain.value_objects.audio_metadata import s_from_samples
from asr_service.domain.value_objects.transcript import Transcript


def render(transcript: Transcript, wanted: TranscriptionRequest) -> Response:
    """The answer in the format that was asked for."""
    match wanted.response_format:
        case ResponseFormat.TEXT:
            return PlainTextResponse(to_text(transcript))
        case ResponseFormat.SRT:
            return PlainTextResponse(to_srt(transcript))
        case ResponseFormat.VTT:
            return PlainTextResponse(to_vtt(transcript), media_type="text/vtt")
        case ResponseFormat.VERBOSE_JSON:
            return JSONResponse(_verbose(transcript, wanted))
        case ResponseFormat.DIARIZED_JSON:
            return JSONResponse(_diarized(transcript))
    if wanted.config.options.task is Task.TRANSLATE:
        return JSONResponse(TranslationResponse(text=transcript.text).model_dump())
    return JSONResponse(TranscriptionResponse(text=transcript.text, usage=usage_of(transcript)).model_dump())


def _verbose(transcript: Transcript, wanted: TranscriptionRequest) -> dict[str, Any]:
    duration = s_from_samples(transcript.duration_samples)
    segments = _segments(transcript)
    if wanted.config.options.task is Task.TRANSLATE:
        translation = VerboseTranslationResponse(duration=duration, text=transcript.text, segments=segments)
        return translation.model_dump()
    answer = VerboseTranscriptionResponse(
        language=language_name(transcript.language),
        duration=duration,
        text=transcript.text,
        segments=segments,
        words=[
            TranscriptionWord.of(word) for utterance in transcript.utterances for word in utterance.hypothesis.words
        ],
        usage=usage_of(transcript),
    )
    not_asked_for = {f"{granularity}s" for granularity in Granularity if granularity not in wanted.granularities}
    return answer.model_dump(exclude=not_asked_for)


def _diarized(transcript: Transcript) -> dict[str, Any]:
    parts = enumerate(parts_by_speaker(transcript), start=1)
    return DiarizedTranscriptionResponse(
        duration=s_from_samples(transcript.duration_samples),
        text=transcript.text,
        segments=[DiarizedSegment.of(number, part) for number, part in parts],
        usage=usage_of(transcript),
    ).model_dump()


def _segments(transcript: Transcript) -> list[TranscriptionSegment]:
    pieces = [(piece, utterance) for utterance in transcript.utterances for piece in caption(utterance)]
    return [TranscriptionSegment.of(index, piece, utterance) for index, (piece, utterance) in enumerate(pieces)]

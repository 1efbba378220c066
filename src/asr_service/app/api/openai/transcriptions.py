"""``POST /v1/audio/transcriptions``: a recording in, its text out."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from asr_service.app.api.dependencies import ApiServices, CurrentCaller, Services
from asr_service.app.api.openai.models import NO_SUCH_MODEL, WHISPER_1, check_model
from asr_service.app.api.presence import while_connected
from asr_service.app.api.v1.live.outbox import ClientGone
from asr_service.app.dto.openai import (
    LANGUAGE_NAMES,
    ErrorResponse,
    TranscriptionResponse,
    TranscriptionSegment,
    TranscriptionWord,
    VerboseTranscriptionResponse,
    usage_of,
)
from asr_service.app.dto.session_config import MAX_PROMPT_CHARACTERS, supported_language
from asr_service.app.services.transcript_formats import to_srt, to_text, to_vtt
from asr_service.domain.ports.audio_decoder import NoRoomForAudio
from asr_service.domain.services.captions import caption
from asr_service.domain.value_objects.asr_config import SessionConfig
from asr_service.domain.value_objects.audio_metadata import s_from_samples
from asr_service.domain.value_objects.transcript import Transcript
from asr_service.shared.errors import InvalidRequest

Choice = TypeVar("Choice", bound=StrEnum)
router = APIRouter(prefix="/v1/audio", tags=["openai"])


class ResponseFormat(StrEnum):
    """How the transcript is written."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE_JSON = "verbose_json"
    VTT = "vtt"


class Granularity(StrEnum):
    """What ``verbose_json`` gives times for."""

    WORD = "word"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """The form, understood."""

    file: UploadFile
    config: SessionConfig
    response_format: ResponseFormat
    granularities: frozenset[Granularity]


_FORM_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "WAV, MP3, FLAC, Ogg, M4A, WebM"},
                        "model": {"type": "string", "default": WHISPER_1},
                        "language": {"type": "string", "description": "ISO 639-1; left out, it is detected"},
                        "prompt": {"type": "string", "maxLength": MAX_PROMPT_CHARACTERS},
                        "response_format": {"type": "string", "enum": list(ResponseFormat), "default": "json"},
                        "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
                        "timestamp_granularities[]": {
                            "type": "array",
                            "items": {"type": "string", "enum": list(Granularity)},
                            "default": ["segment"],
                        },
                    },
                }
            }
        },
    }
}
_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        400: "The form or the audio is wrong",
        413: "The recording is too large or too long",
        500: "A part of the recording got no text",
        503: "No room now; see Retry-After",
        507: "No disk space to keep the recording until it is transcribed",
    }.items()
}


@router.post(
    "/transcriptions",
    summary="Transcribe a recording",
    response_model=TranscriptionResponse | VerboseTranscriptionResponse,
    responses=_FAILURES | NO_SUCH_MODEL,
    openapi_extra=_FORM_SCHEMA,
)
async def create_transcription(request: Request, services: Services, caller: CurrentCaller) -> Response:
    form = await _received(request)
    try:
        wanted = _read_form(form, services)
        with await _kept(wanted.file) as recording:
            work = services.transcription.transcribe(caller, Path(recording.name), wanted.config)
            transcript = await while_connected(request, work)
    finally:
        await form.close()
    return _render(transcript, wanted)


async def _received(request: Request) -> FormData:
    """The whole form; large files in it are on disk."""
    try:
        return await request.form(max_files=1, max_fields=200)
    except ClientDisconnect as error:
        raise ClientGone("The client left before its recording was here.") from error
    except OSError as error:
        raise _no_room(error) from error


async def _kept(upload: UploadFile) -> IO[bytes]:
    """The recording as a file that has a path; closing it deletes it."""
    try:
        return await asyncio.to_thread(_copied, upload.file)
    except OSError as error:
        raise _no_room(error) from error


def _copied(source: IO[bytes]) -> IO[bytes]:
    target = tempfile.NamedTemporaryFile(prefix="asr-upload-")  # noqa: SIM115 - closed by whoever asked for it
    try:
        shutil.copyfileobj(source, target)
        target.flush()
    except BaseException:
        target.close()
        raise
    return target


def _no_room(error: OSError) -> NoRoomForAudio:
    return NoRoomForAudio(f"The recording cannot be kept until it is transcribed: {error.strerror}.")


def _read_form(form: FormData, services: ApiServices) -> TranscriptionRequest:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise InvalidRequest(
            "The form has no file.", field="file", hint="Send multipart/form-data with a part named file."
        )
    if model := _text(form, "model"):
        check_model(services, model)
    prompt = _text(form, "prompt")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequest(f"The prompt is longer than {MAX_PROMPT_CHARACTERS} characters.", field="prompt")
    response_format = _one_of(ResponseFormat, _text(form, "response_format") or "json", "response_format")
    granularities = _granularities(form)
    options = replace(
        services.recording_defaults.options,
        language=supported_language(_text(form, "language"), services.recognizer.capabilities),
        prompt=prompt or None,
        temperature=_temperature(_text(form, "temperature")),
        word_times=response_format not in (ResponseFormat.JSON, ResponseFormat.TEXT),
    )
    return TranscriptionRequest(
        file, replace(services.recording_defaults, options=options), response_format, granularities
    )


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _granularities(form: FormData) -> frozenset[Granularity]:
    """Both spellings: OpenAI's libraries send ``name[]``, people with curl often ``name``."""
    name = "timestamp_granularities"
    values = [value for key, value in form.multi_items() if key in (name, f"{name}[]") and isinstance(value, str)]
    return frozenset(_one_of(Granularity, value, name) for value in values) or frozenset({Granularity.SEGMENT})


def _temperature(text: str) -> float:
    try:
        temperature = float(text or 0)
    except ValueError:
        temperature = -1.0
    if not 0 <= temperature <= 1:
        raise InvalidRequest(f"{text[:20]!r} is no temperature.", field="temperature", hint="Use a number from 0 to 1.")
    return temperature


def _one_of(choices: type[Choice], text: str, field: str) -> Choice:
    try:
        return choices(text)
    except ValueError:
        raise InvalidRequest(
            f"{text[:40]!r} is no {field}.", field=field, hint=f"Use one of: {', '.join(choices)}."
        ) from None


def _render(transcript: Transcript, wanted: TranscriptionRequest) -> Response:
    match wanted.response_format:
        case ResponseFormat.TEXT:
            return PlainTextResponse(to_text(transcript))
        case ResponseFormat.SRT:
            return PlainTextResponse(to_srt(transcript))
        case ResponseFormat.VTT:
            return PlainTextResponse(to_vtt(transcript), media_type="text/vtt")
        case ResponseFormat.VERBOSE_JSON:
            return JSONResponse(_verbose(transcript, wanted.granularities).model_dump(exclude_none=True))
        case ResponseFormat.JSON:
            return JSONResponse(TranscriptionResponse(text=transcript.text, usage=usage_of(transcript)).model_dump())


def _verbose(transcript: Transcript, granularities: frozenset[Granularity]) -> VerboseTranscriptionResponse:
    pieces = [(piece, utterance) for utterance in transcript.utterances for piece in caption(utterance)]
    segments = [TranscriptionSegment.of(index, piece, utterance) for index, (piece, utterance) in enumerate(pieces)]
    words = [TranscriptionWord.of(word) for utterance in transcript.utterances for word in utterance.hypothesis.words]
    language = transcript.language or ""
    return VerboseTranscriptionResponse(
        language=LANGUAGE_NAMES.get(language, language),
        duration=s_from_samples(transcript.duration_samples),
        text=transcript.text,
        segments=segments if Granularity.SEGMENT in granularities else None,
        words=words if Granularity.WORD in granularities else None,
        usage=usage_of(transcript),
    )

"""``POST /v1/audio/transcriptions`` and ``/translations``: a recording in, its text out."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path
from typing import IO

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData

from asr_service.app.api.dependencies import ApiServices, CurrentCaller, Services
from asr_service.app.api.openai.documentation import (
    TRANSCRIPTION_ANSWERS,
    TRANSCRIPTION_FORM,
    TRANSLATION_ANSWERS,
    TRANSLATION_FORM,
    failures,
)
from asr_service.app.api.openai.event_stream import Emit, EventStreamResponse
from asr_service.app.api.openai.form_fields import FormFields
from asr_service.app.api.openai.models import leased_model
from asr_service.app.api.openai.rendering import render
from asr_service.app.api.openai.transcription_form import TranscriptionRequest, read_transcription, read_translation
from asr_service.app.api.openai.uploads import kept, received_form
from asr_service.app.api.presence import while_connected
from asr_service.app.dto.model_names import WHISPER_1
from asr_service.app.dto.openai import (
    DiarizedTranscriptionResponse,
    TextDelta,
    TextDone,
    TranscriptionResponse,
    TranslationResponse,
    VerboseTranscriptionResponse,
    VerboseTranslationResponse,
)
from asr_service.domain.ports.recognizer_directory import LeasedRecognizer
from asr_service.domain.value_objects.caller import Caller
from asr_service.domain.value_objects.transcript import TranscribedUtterance, join_texts

router = APIRouter(prefix="/v1/audio", tags=["openai"])
_FAILURES = failures(400, 404, 408, 409, 413, 422, 500, 503, 507)


@router.post(
    "/transcriptions",
    summary="Transcribe a recording",
    response_model=TranscriptionResponse | VerboseTranscriptionResponse | DiarizedTranscriptionResponse,
    responses=TRANSCRIPTION_ANSWERS | _FAILURES,
    openapi_extra=TRANSCRIPTION_FORM,
)
async def create_transcription(request: Request, services: Services, caller: CurrentCaller) -> Response:
    """Text in the language that is spoken, at once or, with `stream`, as server-sent events while it is made."""
    async with AsyncExitStack() as held:
        form = await received_form(request)
        held.push_async_callback(form.close)
        leased = await held.enter_async_context(_model_of(form, services, caller))
        speakers = services.transcription.tells_speakers_apart
        wanted = read_transcription(
            form, services.recording_defaults, leased.capabilities, tells_speakers_apart=speakers
        )
        recording = held.enter_context(await kept(wanted.file))
        if not wanted.streamed:
            return await _answer(request, services, caller, recording, wanted, leased)
        return EventStreamResponse(partial(_stream, services, caller, recording, wanted, leased, held.pop_all()))


@router.post(
    "/translations",
    summary="Translate a recording into English",
    response_model=TranslationResponse | VerboseTranslationResponse,
    responses=TRANSLATION_ANSWERS | _FAILURES,
    openapi_extra=TRANSLATION_FORM,
)
async def create_translation(request: Request, services: Services, caller: CurrentCaller) -> Response:
    """English text, if the model can translate: 400 with the code `unsupported_model` if it cannot."""
    async with AsyncExitStack() as held:
        form = await received_form(request)
        held.push_async_callback(form.close)
        leased = await held.enter_async_context(_model_of(form, services, caller))
        wanted = read_translation(form, services.recording_defaults, leased.capabilities)
        recording = held.enter_context(await kept(wanted.file))
        return await _answer(request, services, caller, recording, wanted, leased)


def _model_of(form: FormData, services: ApiServices, caller: Caller) -> AbstractAsyncContextManager[LeasedRecognizer]:
    return leased_model(services, caller, FormFields(form).text("model") or WHISPER_1)


async def _answer(
    request: Request,
    services: ApiServices,
    caller: Caller,
    recording: IO[bytes],
    wanted: TranscriptionRequest,
    leased: LeasedRecognizer,
) -> Response:
    work = services.transcription.transcribe(
        caller, Path(recording.name), wanted.config, leased=leased, speakers=wanted.speakers
    )
    return render(await while_connected(request, work), wanted)


async def _stream(
    services: ApiServices,
    caller: Caller,
    recording: IO[bytes],
    wanted: TranscriptionRequest,
    leased: LeasedRecognizer,
    held: AsyncExitStack,
    emit: Emit,
) -> None:
    """Emits what each final adds to the text, then all of it: the same text. Lets go of what is held at its end."""
    text = ""

    async def emit_delta(utterance: TranscribedUtterance) -> None:
        nonlocal text
        before, text = text, join_texts((text, utterance.hypothesis.text))
        await emit(TextDelta(delta=text[len(before) :]))

    async with held:
        transcript = await services.transcription.transcribe(
            caller, Path(recording.name), wanted.config, on_utterance=emit_delta, leased=leased
        )
    await emit(TextDone(text=transcript.text))

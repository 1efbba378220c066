"""What the description of the interface says of ``/v1``: forms, answers, failures, each with an example."""

from typing import Any

from asr_service.app.dto.openai import ErrorResponse
from asr_service.app.dto.session_config import MAX_PROMPT_CHARACTERS
from asr_service.domain.value_objects.asr_config import Casing, Numbers
from asr_service.domain.value_objects.language import Script

_ERRORS: dict[int, tuple[str, str, str, str]] = {  # description; an example of type, code and message
    400: ("A field, or the audio, is wrong.", "invalid_request_error", "invalid_request", "'2' is no temperature."),
    404: ("No such model.", "invalid_request_error", "model_not_found", "The model 'x' does not exist."),
    408: ("The client left before the answer.", "invalid_request_error", "client_gone", "The client has gone."),
    409: (
        "A request with this Idempotency-Key is in progress.",
        "invalid_request_error",
        "idempotency_in_progress",
        "A request with this Idempotency-Key is in progress.",
    ),
    413: (
        "The recording is too large or too long.",
        "invalid_request_error",
        "audio_too_long",
        "Maximum content size limit (1073741824) exceeded (1073741825 bytes read).",
    ),
    422: (
        "The Idempotency-Key was used for another request.",
        "invalid_request_error",
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request.",
    ),
    500: (
        "The server failed, perhaps on a part of the recording.",
        "server_error",
        "recognition_failed",
        "No text for 0.2–1.9 s.",
    ),
    503: ("No room now; Retry-After says when to come again.", "server_error", "overloaded", "All places are taken."),
    507: ("No disk space for the recording.", "server_error", "no_room_for_audio", "The recording cannot be kept."),
}
_WAIT = {"description": "seconds after which to try again", "schema": {"type": "integer", "minimum": 0}}
_WITH_WAIT = (409, 503)


def failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The entries of a route for these failures, in OpenAI's shape."""
    return {status: _failure(status, *_ERRORS[status]) for status in statuses}


def _failure(status: int, description: str, kind: str, code: str, message: str) -> dict[str, Any]:
    example = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return {
        "model": ErrorResponse,
        "description": description,
        "content": {"application/json": {"example": example}},
        **({"headers": {"Retry-After": _WAIT}} if status in _WITH_WAIT else {}),
    }


def answer(description: str, example: Any) -> dict[int | str, dict[str, Any]]:
    """The entry of a route for its success."""
    return {200: {"description": description, "content": {"application/json": {"example": example}}}}


def _text(example: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "example": example}


_SUBTITLES = {
    "text/plain": _text("Go on.\n"),
    "text/vtt": _text("WEBVTT\n\n00:00:00.100 --> 00:00:00.600\nGo on.\n"),
}
_SEGMENT = {
    **{"id": 0, "seek": 0, "start": 0.1, "end": 0.6, "text": "Go on.", "tokens": [], "temperature": 0.0},
    **{"avg_logprob": -0.2, "compression_ratio": 0.9, "no_speech_prob": 0.01},
}
_SPOKEN_SEGMENT = {
    **{"type": "transcript.text.segment", "id": "seg_001"},
    **{"start": 0.1, "end": 0.6, "text": "Go on.", "speaker": "A"},
}
_USAGE = {"type": "duration", "seconds": 2}
TRANSCRIPTION_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The text, as `response_format` has it; a stream of events if `stream` is true",
        "content": {
            "application/json": {
                "examples": {
                    "json": {"value": {"text": "Go on.", "usage": _USAGE}},
                    "verbose_json": {
                        "value": {
                            **{"task": "transcribe", "language": "english", "duration": 1.5, "text": "Go on."},
                            **{"segments": [_SEGMENT], "usage": _USAGE},
                        }
                    },
                    "diarized_json": {
                        "value": {
                            **{"task": "transcribe", "duration": 1.5, "text": "Go on."},
                            **{"segments": [_SPOKEN_SEGMENT], "usage": _USAGE},
                        }
                    },
                }
            },
            **_SUBTITLES,
            "text/event-stream": {  # OpenAPI 3.1 has no schema for the events of a stream
                "example": 'data: {"type":"transcript.text.delta","delta":"Go on."}\n\n'
                'data: {"type":"transcript.text.done","text":"Go on."}\n\n'
            },
        },
    }
}
TRANSLATION_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The English text, as `response_format` has it",
        "content": {"application/json": {"examples": {"json": {"value": {"text": "Go on."}}}}, **_SUBTITLES},
    }
}

_MODEL = {"type": "string", "default": "whisper-1", "description": "as listed under /v1/models"}
_SHARED_FIELDS: dict[str, Any] = {
    "file": {"type": "string", "format": "binary", "description": "WAV, MP3, FLAC, Ogg, M4A, WebM"},
    "model": _MODEL,
    "language": {
        "type": "string",
        "description": "of the speech, ISO 639-1; left out, it is detected",
        "example": "en",
    },
    "prompt": {"type": "string", "maxLength": MAX_PROMPT_CHARACTERS, "description": "what precedes the audio"},
    "response_format": {
        "type": "string",
        "enum": ["json", "text", "srt", "verbose_json", "vtt"],
        "default": "json",
    },
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
    "script": {"type": "string", "enum": list(Script), "description": "of Chinese text"},
    "numbers": {
        "type": "string",
        "enum": list(Numbers),
        "description": "in digits, in words, or as the engine pleases",
    },
    "casing": {"type": "string", "enum": list(Casing), "description": "where capital letters stand"},
    "mask": {"type": "boolean", "description": "whether listed words are masked; left out, as the server is set"},
}
_TRANSCRIPTION_FIELDS: dict[str, Any] = {
    "response_format": {
        "type": "string",
        "enum": ["json", "text", "srt", "verbose_json", "vtt", "diarized_json"],
        "default": "json",
        "description": "`diarized_json` where speakers can be told apart: 400 `diarization_unavailable` elsewhere",
    },
    "stream": {"type": "boolean", "default": False, "description": "with json and text only"},
    "timestamp_granularities[]": {
        "type": "array",
        "items": {"type": "string", "enum": ["word", "segment"]},
        "default": ["segment"],
        "description": "for verbose_json",
    },
    "chunking_strategy": {
        "type": "string",
        "default": "auto",
        "description": "`auto`, or an object of `type` (`server_vad`), `prefix_padding_ms` (0–1000), `silence_duration_ms` "
        "(100–10000) and `threshold` (0.15–0.95): as JSON, or as fields such as `chunking_strategy[type]`",
        "example": "auto",
    },
    "languages[]": {
        "type": "array",
        "items": {"type": "string"},
        "description": "one of these is spoken",
        "example": ["zh", "en"],
    },
    "keywords[]": {"type": "array", "items": {"type": "string", "maxLength": 64}, "description": "words to prefer"},
    "hotwords": {"type": "string", "description": "the same as one text, as FunASR's clients write it"},
}


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the same request under the same key gets the same answer for some minutes",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "b3f1c9e2",
}


def _form(fields: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "required": ["file"], "properties": fields}
    encoding = {"file": {"contentType": "audio/wav, audio/mpeg, audio/flac, audio/ogg, audio/mp4, audio/webm"}}
    body = {"required": True, "content": {"multipart/form-data": {"schema": schema, "encoding": encoding}}}
    return {"requestBody": body, "parameters": [_IDEMPOTENCY_KEY]}


TRANSCRIPTION_FORM = _form(_SHARED_FIELDS | _TRANSCRIPTION_FIELDS)
TRANSLATION_FORM = _form(_SHARED_FIELDS)
